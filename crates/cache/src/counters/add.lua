-- Adds to a counter and sees to it that it expires.
-- KEYS[1]: the counter. ARGV: how much to add, milliseconds until a new counter expires.
-- Answers: 0 and the new value, 1 when that would be out of range, or 2 when the key holds something else.
local added = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(added) == 'table' then
  local code = string.match(added.err, '^%S+')
  if code == 'WRONGTYPE' then return { 2 } end
  if code ~= 'ERR' then return added end
  -- Both reasons that are left have this code.
  local whole = string.match(redis.call('GET', KEYS[1]) or '', '^-?%d+$')
  return { whole and 1 or 2 }
end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
-- A number of this language is a double; the text is exact.
return { 0, redis.call('GET', KEYS[1]) }

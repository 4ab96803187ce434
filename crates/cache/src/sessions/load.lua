-- Reads a session; one that is no longer hot becomes hot again.
-- KEYS: hot, persistent. ARGV: milliseconds hot, milliseconds persistent. Answers the value, or nothing.
-- What is written here may fail, for example because memory is full: then the session is as it was, and is still read.
local value = redis.call('GET', KEYS[1])
if value then
  -- To an eviction policy this is a use; without it, a session in use would lose its persistent key first.
  if redis.call('TOUCH', KEYS[2]) == 0 then redis.pcall('SET', KEYS[2], value, 'PX', ARGV[2]) end
  return value
end
value = redis.call('GET', KEYS[2])
if value then
  redis.pcall('PEXPIRE', KEYS[2], ARGV[2])
  redis.pcall('SET', KEYS[1], value, 'PX', ARGV[1])
end
return value

-- Takes permits from a bucket, as `TokenBucket::take` does. Needs `now`.
-- KEYS[1]: the bucket. ARGV: parts in a full bucket, parts of a permit, parts gained per millisecond, permits to take.
-- Answers: allowed (0 or 1), permits remaining, milliseconds until a retry succeeds, milliseconds until it is full.
local full, permit, rate = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local needed = tonumber(ARGV[4]) * permit

local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(kept[1] or ''), tonumber(kept[2] or '')
-- A key that holds something else is a bucket that nobody used.
if not level or not at then level, at = full, now end
local back = now < at
if back then at = now end
level = math.min(full, level + (now - at) * rate)

local allowed = needed <= level
if allowed then level = level - needed end
local retry = allowed and 0 or math.ceil((needed - level) / rate)
local reset = math.ceil((full - level) / rate)
if allowed or back then
  -- Joining a number to a text would round it, so it is written out.
  redis.call('HSET', KEYS[1], 'level', string.format('%.0f', level), 'at', string.format('%.0f', now))
  -- Once it is full there is nothing to remember; a millisecond more, because clocks are cut off.
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', reset + 1))
end
return { allowed and 1 or 0, math.floor(level / permit), retry, reset }

-- Takes permits from a window, as `SlidingWindow::take` does. Needs `now`.
-- KEYS[1]: what was taken, by slot. ARGV: the limit, milliseconds in a slot, slots in the window, permits to take.
-- Answers: allowed (0 or 1), permits remaining, milliseconds until a retry succeeds, milliseconds until it is empty.
local limit, width, slots = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local cost = tonumber(ARGV[4])
local slot = math.floor(now / width)

local kept = redis.call('HGETALL', KEYS[1])
local taken, gone, ahead, used = {}, {}, 0, 0
for i = 1, #kept, 2 do
  local at, count = tonumber(kept[i]), tonumber(kept[i + 1])
  if at and count and slot - slots <= at and at <= slot then
    taken[at] = count
    used = used + count
  else
    gone[#gone + 1] = kept[i]
    -- After the clock went back, what lies ahead counts as taken now.
    if at and count and slot < at then ahead = ahead + count end
  end
end
used = used + ahead

local excess = math.max(0, used + cost - limit)
local allowed = excess == 0
local added = ahead + (allowed and cost or 0)
if 0 < #gone then redis.call('HDEL', KEYS[1], unpack(gone)) end
if 0 < added then
  taken[slot] = (taken[slot] or 0) + added
  -- Joining a number to a text would round it, so it is written out.
  redis.call('HSET', KEYS[1], string.format('%.0f', slot), string.format('%.0f', taken[slot]))
end

local left, retry, newest = 0, 0, nil
for at = slot - slots, slot do
  if taken[at] then
    newest = at
    local before = left
    left = left + taken[at]
    if 0 < excess and before < excess and excess <= left then retry = (at + slots + 1) * width - now end
  end
end
local reset = newest and (newest + slots + 1) * width - now or 0
-- Once it is empty there is nothing to remember; a millisecond more, because clocks are cut off.
if 0 < added then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', reset + 1)) end
local remaining = limit - used - (allowed and cost or 0)
return { allowed and 1 or 0, math.max(0, remaining), retry, reset }

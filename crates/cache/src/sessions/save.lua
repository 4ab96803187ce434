-- Keeps a session, hot and persistent.
-- KEYS: hot, persistent. ARGV: milliseconds hot, milliseconds persistent, the value, 1 if the session must be there.
-- Answers whether it was kept.
if ARGV[4] == '1' and redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[2])
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[1])
return 1

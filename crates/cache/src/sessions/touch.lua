-- Renews both keys of a session.
-- KEYS: hot, persistent. ARGV: milliseconds hot, milliseconds persistent. Answers whether there is such a session.
local value = redis.call('GET', KEYS[1]) or redis.call('GET', KEYS[2])
if not value then return 0 end
redis.call('SET', KEYS[2], value, 'PX', ARGV[2])
redis.call('SET', KEYS[1], value, 'PX', ARGV[1])
return 1

-- The clock of the Redis that holds the key, in milliseconds: the only one that all instances share.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Keeps a sealed value unless what is kept is of the same format and newer.
-- KEYS[1]: the key. ARGV: the sealed value, milliseconds to keep it. Answers whether it was kept.
local given, kept = ARGV[1], redis.pcall('GETRANGE', KEYS[1], 0, 13)
if type(kept) == 'string' and #kept == 14 and kept:sub(1, 6) == given:sub(1, 6) then
  -- Byte by byte, since texts are compared by the server's locale.
  for at = 7, 14 do
    local mine, theirs = kept:byte(at), given:byte(at)
    if mine > theirs then return 0 end
    if mine < theirs then break end
  end
end
redis.call('SET', KEYS[1], given, 'PX', ARGV[2])
return 1

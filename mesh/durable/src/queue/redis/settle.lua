-- Forgets what is done, whoever has it now. ARGV: group, then stream, entry and id of each.
--
-- An entry is deleted with its acknowledgement: the streams hold what is not settled and nothing else, so they need
-- no trimming, which could drop what nobody has seen. Redis frees a block of entries once all in it are deleted.
local entries, settled = { {}, {} }, {}
for i = 2, #ARGV, 3 do
  local number, entry = tonumber(ARGV[i]), ARGV[i + 1]
  if redis.call('XDEL', STREAMS[number], entry) == 1 then settled[#settled + 1] = ARGV[i + 2] end
  table.insert(entries[number], entry)
end
for number, stream in ipairs(STREAMS) do
  if #entries[number] > 0 then redis.call('XACK', stream, GROUP, unpack(entries[number])) end
end
if #settled > 0 then redis.call('ZREM', IDS, unpack(settled)) end
return 0

-- Forgets what is done, whoever has it now. ARGV: group, how many are of the first stream, then entry and id of each,
-- those of the first stream first.
--
-- An entry is deleted with its acknowledgement: the streams hold what is not settled and nothing else, so they need
-- no trimming, which could drop what nobody has seen. Redis frees a block of entries once all in it are deleted.

-- What is pending has not gone elsewhere; where one is not, each is asked whether it was still there.
local function settle(stream, entries, ids)
  if redis.call('XACK', stream, GROUP, unpack(entries)) == #entries then
    redis.call('XDEL', stream, unpack(entries))
    redis.call('ZREM', IDS, unpack(ids))
    return
  end
  for place, entry in ipairs(entries) do
    if redis.call('XDEL', stream, entry) == 1 then redis.call('ZREM', IDS, ids[place]) end
  end
end

local split = 2 + 2 * tonumber(ARGV[2])
for number, range in ipairs({ { 3, split }, { split + 1, #ARGV } }) do
  local entries, ids = {}, {}
  for i = range[1], range[2], 2 do
    entries[#entries + 1] = ARGV[i]
    ids[#ids + 1] = ARGV[i + 1]
  end
  if #entries > 0 then settle(STREAMS[number], entries, ids) end
end
return 0

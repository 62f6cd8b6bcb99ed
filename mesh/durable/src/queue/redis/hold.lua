-- Holds the ids of messages that were just added at the end of the stream, and deletes those again whose ids were held
-- already. ARGV: group, the ids, then enqueued of each.
local count = (#ARGV - 1) / 2
local held, new, again = {}, {}, {}
for place, score in ipairs(redis.call('ZMSCORE', IDS, unpack(ARGV, 2, 1 + count))) do
  local id = ARGV[1 + place]
  if score or held[id] then
    again[#again + 1] = place
  else
    held[id] = true
    new[#new + 1] = ARGV[1 + count + place]
    new[#new + 1] = id
  end
end
if #again > 0 then
  local last = redis.call('XREVRANGE', STREAM, '+', '-', 'COUNT', count)
  for _, place in ipairs(again) do redis.call('XDEL', STREAM, last[count + 1 - place][1]) end
end
if #new > 0 then redis.call('ZADD', IDS, unpack(new)) end
return 0

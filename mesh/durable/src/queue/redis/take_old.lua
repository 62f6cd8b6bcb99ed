-- Takes for a consumer what comes before all that is new: messages of silent consumers, and those that are in AGAIN or
-- due to be. ARGV: group, consumer, how many at most, milliseconds after which a silent consumer loses what it has.
--
-- Gives entries as they are, by the number of their stream and how often they have been delivered; after how many
-- milliseconds the next delayed message is due (-1: there is none); and the last entry of each stream, behind which
-- news will be.
local consumer, left, idle = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local taken = {}

-- XAUTOCLAIM would not tell how often they have been delivered, and looks at ten times as many at most.
for number, stream in ipairs(STREAMS) do
  local ids, deliveries = {}, {}
  if left > 0 then
    for _, pending in ipairs(redis.call('XPENDING', stream, GROUP, 'IDLE', idle, '-', '+', left)) do
      ids[#ids + 1] = pending[1]
      deliveries[pending[1]] = pending[4] + 1
    end
  end
  if #ids > 0 then
    -- Those that somebody has deleted by hand are forgotten by this.
    for _, entry in ipairs(redis.call('XCLAIM', stream, GROUP, consumer, idle, unpack(ids))) do
      if entry then
        taken[#taken + 1] = { number, deliveries[entry[1]], { entry } }
        left = left - 1
      end
    end
  end
end

if left > 0 then
  for _, id in ipairs(redis.call('ZRANGE', DELAYED, '-inf', now(), 'BYSCORE', 'LIMIT', 0, left)) do
    local body = redis.call('HGET', BODIES, id)
    redis.call('ZREM', DELAYED, id)
    redis.call('HDEL', BODIES, id)
    if body then
      local message = cmsgpack.unpack(body)
      add(AGAIN, id, message.payload, message.meta)
    end
  end
  local again = redis.call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', left, 'STREAMS', AGAIN, '>')
  if again then taken[#taken + 1] = { 2, 1, again[1][2] } end
end

local function last(stream)
  local entry = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  return entry and entry[1] or '0-0'
end
local next = redis.call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]
local due = next and math.max(0, tonumber(next) - now()) or -1
return { taken, due, last(STREAM), last(AGAIN) }

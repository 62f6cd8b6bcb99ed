-- Takes messages for a consumer. ARGV: group, consumer, how many at most, milliseconds after which a silent consumer
-- loses what it has. Gives what was taken; where that is nothing, also after how many milliseconds the next delayed
-- one is due (-1: there is none) and the last entry of each stream, behind which news will be.
local consumer, most, idle = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local taken = {}

local function hand_out(stream, entry, deliveries)
  local message = read(entry)
  taken[#taken + 1] = { stream, entry[1], deliveries, message.id, message.payload, message.trace,
    tonumber(message.enqueued), message.attempts + deliveries }
end

-- XAUTOCLAIM would not tell how often they have been delivered, and looks at ten times as many at most.
for number, stream in ipairs(STREAMS) do
  local left, ids, deliveries = most - #taken, {}, {}
  if left > 0 then
    for _, pending in ipairs(redis.call('XPENDING', stream, GROUP, 'IDLE', idle, '-', '+', left)) do
      ids[#ids + 1] = pending[1]
      deliveries[pending[1]] = pending[4] + 1
    end
  end
  if #ids > 0 then
    -- Those that somebody has deleted by hand are forgotten by this.
    for _, entry in ipairs(redis.call('XCLAIM', stream, GROUP, consumer, idle, unpack(ids))) do
      if entry then hand_out(number, entry, deliveries[entry[1]]) end
    end
  end
end

if #taken < most then
  for _, id in ipairs(redis.call('ZRANGE', DELAYED, '-inf', now(), 'BYSCORE', 'LIMIT', 0, most - #taken)) do
    local body = redis.call('HGET', BODIES, id)
    redis.call('ZREM', DELAYED, id)
    redis.call('HDEL', BODIES, id)
    if body then
      local message = cmsgpack.unpack(body)
      add(AGAIN, message, message.attempts)
    end
  end
end

for _, number in ipairs({ 2, 1 }) do
  if #taken < most then
    local new = redis.call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', most - #taken, 'STREAMS', STREAMS[number], '>')
    if new then
      for _, entry in ipairs(new[1][2]) do hand_out(number, entry, 1) end
    end
  end
end

if #taken > 0 then return { taken } end
local function last(stream)
  local entry = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  return entry and entry[1] or '0-0'
end
local next = redis.call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]
local due = next and math.max(0, tonumber(next) - now()) or -1
return { taken, due, last(STREAM), last(AGAIN) }

-- What all scripts share; it is put before each of them.
--
-- A message is in one place at a time: an entry of a stream, a body beside its due time, or a dead letter. Its id is
-- in IDS for as long, scored by when it was caused (by infinity once it is dead), so that an id is held once and the
-- oldest is known. A script runs alone and is in the AOF as a whole: no message is between two places after a crash.
-- What takes memory away comes first in each, so that a Redis that is full can still be emptied.

local STREAM, AGAIN, IDS, DELAYED, BODIES, DEAD, BURIED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local GROUP = ARGV[1]
-- Receipts name a stream by its number. Messages that were here before are in AGAIN, which is read first.
local STREAMS = { STREAM, AGAIN }

-- Unix milliseconds by this server's clock.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- What an entry says, whoever wrote it. One that is not ours gets an id, and its bytes are passed on as they are: the
-- consumer will not understand them, and give them up.
local function read(entry)
  local fields = entry[2]
  if #fields == 10 and fields[1] == 'id' and fields[3] == 'payload' and fields[5] == 'trace'
    and fields[7] == 'enqueued' and fields[9] == 'attempts'
    and string.match(fields[8], '^%d+$') and #fields[8] < 16
    and string.match(fields[10], '^%d+$') and #fields[10] < 10 then
    return { id = fields[2], payload = fields[4], trace = fields[6], enqueued = fields[8], attempts = tonumber(fields[10]) }
  end
  local payload = table.concat(fields, '\n')
  for i = 1, #fields, 2 do
    if fields[i] == 'payload' then payload = fields[i + 1] end
  end
  return { id = 'foreign-' .. entry[1], payload = payload, trace = '', enqueued = string.match(entry[1], '^%d+'), attempts = 0 }
end

local function add(stream, message, attempts)
  redis.call('XADD', stream, '*', 'id', message.id, 'payload', message.payload, 'trace', message.trace,
    'enqueued', message.enqueued, 'attempts', attempts)
end

-- The entry of a receipt and what it says, as long as nobody else has taken it since; then it is taken out.
local function take_out(stream, entry, deliveries)
  local owner = redis.call('XPENDING', stream, GROUP, entry, entry, 1)[1]
  if not owner or owner[4] ~= tonumber(deliveries) then return nil end
  local found = redis.call('XRANGE', stream, entry, entry)[1]
  redis.call('XACK', stream, GROUP, entry)
  if not found then return nil end
  redis.call('XDEL', stream, entry)
  local message = read(found)
  message.attempts = message.attempts + owner[4]
  return message
end

-- Makes the streams and their group where they are gone. IDS then says more than there is, if it is there at all: it
-- is written anew from what is.
local function mend()
  redis.call('DEL', IDS)
  for _, stream in ipairs(STREAMS) do
    redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
    for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do
      local message = read(entry)
      redis.call('ZADD', IDS, message.enqueued, message.id)
    end
  end
  local bodies = redis.call('HGETALL', BODIES)
  for i = 1, #bodies, 2 do
    redis.call('ZADD', IDS, cmsgpack.unpack(bodies[i + 1]).enqueued, bodies[i])
  end
  for _, id in ipairs(redis.call('HKEYS', BURIED)) do
    redis.call('ZADD', IDS, '+inf', id)
  end
end

if redis.call('EXISTS', STREAM, AGAIN) < 2 then mend() end

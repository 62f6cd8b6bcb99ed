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

-- `meta` says when it was caused, how often it was tried before, and by which trace it was caused.
local function add(stream, id, payload, meta)
  redis.call('XADD', stream, '*', 'id', id, 'payload', payload, 'meta', meta)
end

-- Takes an entry out of the stream, if nobody else has taken the message since. Stream, entry and deliveries of the
-- receipt are the arguments from this one on.
local function take_out(i)
  local stream, entry, deliveries = STREAMS[tonumber(ARGV[i])], ARGV[i + 1], tonumber(ARGV[i + 2])
  local owner = redis.call('XPENDING', stream, GROUP, entry, entry, 1)[1]
  if not owner or owner[4] ~= deliveries then return false end
  redis.call('XACK', stream, GROUP, entry)
  return redis.call('XDEL', stream, entry) == 1
end

-- Makes the streams and their group where they are gone. IDS then says more than there is, if it is there at all: it
-- is written anew from what is.
local function mend()
  redis.call('DEL', IDS)
  for _, stream in ipairs(STREAMS) do
    redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
    for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do
      local fields = entry[2]
      local enqueued = fields[1] == 'id' and fields[5] == 'meta' and string.match(fields[6], '^%d+')
      -- The id of one that is not ours is never asked for.
      if enqueued then redis.call('ZADD', IDS, enqueued, fields[2]) end
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

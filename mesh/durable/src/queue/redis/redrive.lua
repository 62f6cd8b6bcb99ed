-- Queues a dead letter again, first in line. ARGV: group, id. Gives 1 if there was one.
local id = ARGV[2]
local letter = redis.call('HGET', BURIED, id)
if not letter then return 0 end
local found = redis.call('XRANGE', DEAD, letter, letter)[1]
redis.call('HDEL', BURIED, id)
if not found then
  -- Somebody has deleted it by hand.
  redis.call('ZREM', IDS, id)
  return 0
end
redis.call('XDEL', DEAD, letter)
local fields = found[2]
local payload, trace, enqueued = fields[4], fields[6], fields[8]
redis.call('ZADD', IDS, enqueued, id)
add(AGAIN, id, payload, enqueued .. ' 0 ' .. trace)
return 1

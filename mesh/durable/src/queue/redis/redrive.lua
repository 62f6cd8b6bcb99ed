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
local message = { id = id, payload = fields[4], trace = fields[6], enqueued = fields[8] }
redis.call('ZADD', IDS, message.enqueued, id)
add(AGAIN, message, 0)
return 1

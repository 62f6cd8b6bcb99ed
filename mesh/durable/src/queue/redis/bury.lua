-- Makes a dead letter of what was taken. ARGV: group, reason, then stream, entry and deliveries of the receipt.
local message = take_out(STREAMS[tonumber(ARGV[3])], ARGV[4], ARGV[5])
if message then
  local letter = redis.call('XADD', DEAD, '*', 'id', message.id, 'payload', message.payload, 'trace', message.trace,
    'enqueued', message.enqueued, 'attempts', message.attempts, 'reason', ARGV[2], 'died', now())
  redis.call('HSET', BURIED, message.id, letter)
  redis.call('ZADD', IDS, '+inf', message.id)
end
return 0

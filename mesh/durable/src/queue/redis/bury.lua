-- Makes a dead letter of what was taken. ARGV: group, reason, then stream, entry and deliveries of the receipt, id,
-- payload, trace, enqueued and attempts of the message.
if take_out(3) then
  local id = ARGV[6]
  local letter = redis.call('XADD', DEAD, '*', 'id', id, 'payload', ARGV[7], 'trace', ARGV[8], 'enqueued', ARGV[9],
    'attempts', ARGV[10], 'reason', ARGV[2], 'died', now())
  redis.call('HSET', BURIED, id, letter)
  redis.call('ZADD', IDS, '+inf', id)
end
return 0

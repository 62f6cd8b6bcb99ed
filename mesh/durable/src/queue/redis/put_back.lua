-- Lets others have what was taken. ARGV: group, delay in milliseconds, attempts to take back, then stream, entry and
-- deliveries of each receipt. What has not been tried and need not wait is first in line at once.
local delay, untried = tonumber(ARGV[2]), tonumber(ARGV[3])
for i = 4, #ARGV, 3 do
  local message = take_out(STREAMS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2])
  if message then
    message.attempts = message.attempts - untried
    redis.call('ZADD', IDS, 'NX', message.enqueued, message.id)
    if delay == 0 and untried > 0 then
      add(AGAIN, message, message.attempts)
    else
      redis.call('HSET', BODIES, message.id, cmsgpack.pack(message))
      redis.call('ZADD', DELAYED, now() + delay, message.id)
    end
  end
end
return 0

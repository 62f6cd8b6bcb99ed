-- Lets others have what was taken. ARGV: group, delay in milliseconds, whether it is first in line at once (1) where it
-- need not wait; then stream, entry and deliveries of each receipt, id, payload, meta and enqueued of its message.
local delay, first = tonumber(ARGV[2]), ARGV[3] == '1'
for i = 4, #ARGV, 7 do
  if take_out(i) then
    local id, payload, meta, enqueued = ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6]
    redis.call('ZADD', IDS, 'NX', enqueued, id)
    if delay == 0 and first then
      add(AGAIN, id, payload, meta)
    else
      redis.call('HSET', BODIES, id, cmsgpack.pack({ payload = payload, meta = meta, enqueued = enqueued }))
      redis.call('ZADD', DELAYED, now() + delay, id)
    end
  end
end
return 0

-- Queues messages whose ids are not held. ARGV: group, then id, payload, trace and enqueued of each.
for i = 2, #ARGV, 4 do
  local id, enqueued = ARGV[i], ARGV[i + 3]
  if redis.call('ZADD', IDS, 'NX', enqueued, id) == 1 then
    add(STREAM, { id = id, payload = ARGV[i + 1], trace = ARGV[i + 2], enqueued = enqueued }, 0)
  end
end
return 0

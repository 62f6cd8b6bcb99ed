-- Makes the groups where they are missing, and forgets consumers that have nothing and have not been heard of for an
-- hour: every process has a name of its own, and Redis keeps them all. ARGV: group.
for _, stream in ipairs(STREAMS) do
  redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
  for _, pairs in ipairs(redis.call('XINFO', 'CONSUMERS', stream, GROUP)) do
    local consumer = {}
    for i = 1, #pairs, 2 do consumer[pairs[i]] = pairs[i + 1] end
    if consumer.pending == 0 and consumer.idle > 3600000 then
      redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, consumer.name)
    end
  end
end
return 0

-- Counts the silence of a consumer anew. ARGV: group, then stream, entry and deliveries of each receipt.
for i = 2, #ARGV, 3 do
  local stream, entry = STREAMS[tonumber(ARGV[i])], ARGV[i + 1]
  local owner = redis.call('XPENDING', stream, GROUP, entry, entry, 1)[1]
  if owner and owner[4] == tonumber(ARGV[i + 2]) then
    redis.call('XCLAIM', stream, GROUP, owner[2], 0, entry, 'JUSTID')
  end
end
return 0

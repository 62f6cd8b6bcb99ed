-- Counts: waiting, delayed, taken, dead; and when the oldest that is not dead was caused (-1: there is none).
local entries, taken = 0, 0
for _, stream in ipairs(STREAMS) do
  entries = entries + redis.call('XLEN', stream)
  taken = taken + redis.call('XPENDING', stream, GROUP)[1]
end
local oldest = redis.call('ZRANGE', IDS, '-inf', '(+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
return { math.max(0, entries - taken), redis.call('ZCARD', DELAYED), taken, redis.call('XLEN', DEAD),
  tonumber(oldest or -1) }

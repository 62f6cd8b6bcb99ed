-- Reserves the next turn of a rate; see rate.rs. ARGV: group, interval and tolerance in microseconds. Gives how many
-- microseconds it is away.
local RATE = KEYS[8]
local interval, tolerance = tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local next = tonumber(redis.call('GET', RATE) or '')
local turn = next and math.max(next, now - tolerance) or now + interval
redis.call('SET', RATE, string.format('%.0f', turn + interval))
return math.max(0, turn - now)

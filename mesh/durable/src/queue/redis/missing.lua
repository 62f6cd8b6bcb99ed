-- Which ids are not held, by their place. ARGV: group, then ids.
local missing = {}
for i, score in ipairs(redis.call('ZMSCORE', IDS, unpack(ARGV, 2))) do
  if not score then missing[#missing + 1] = i - 1 end
end
return missing

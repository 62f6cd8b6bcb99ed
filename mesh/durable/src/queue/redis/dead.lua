-- Dead letters, the oldest first. ARGV: group, where to begin, how many at most.
return redis.call('XRANGE', DEAD, ARGV[2], '+', 'COUNT', ARGV[3])

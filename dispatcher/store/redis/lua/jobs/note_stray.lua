-- Remembers a job on the network that no record has, in the place of what was known of its address; of too many, those
-- that come first are forgotten.
-- ARGV: 1 address  2 stray (JSON)  3 its place in the order of forgetting  4 how many are remembered
-- Answer: nil

local strays, order = prefix .. ':strays', prefix .. ':strays:order'
redis.call('HSET', strays, ARGV[1], ARGV[2])
redis.call('ZADD', order, ARGV[3], ARGV[1])
while redis.call('ZCARD', order) > tonumber(ARGV[4]) do
  local first = redis.call('ZRANGE', order, 0, 0)[1]
  redis.call('ZREM', order, first)
  redis.call('HDEL', strays, first)
end
return false

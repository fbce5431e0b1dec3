-- Dead letters, the newest first.
-- ARGV: 1 rank of the first one that is wanted, from 0  2 rank of the last
-- Answer: {id, what is kept of its trouble, id, ...}

local found = {}
for _, id in ipairs(redis.call('ZREVRANGE', dead, ARGV[1], ARGV[2])) do
  found[#found + 1] = id
  found[#found + 1] = trouble_of(id)
end
return found

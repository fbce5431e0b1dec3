-- Jobs that stand in a line, in the order in which they are served.
-- ARGV: 1 line: an account's name for its credit, or another  2 place of the last one that is wanted, from 0
-- Answer: {id, rank, missing US dollars, id, ...}

local waiters = {}
local found = redis.call('ZRANGE', waiting_key(ARGV[1]), 0, ARGV[2], 'WITHSCORES')
for position = 1, #found, 2 do
  waiters[#waiters + 1] = found[position]
  waiters[#waiters + 1] = found[position + 1]
  waiters[#waiters + 1] = redis.call('HGET', job_key(found[position]), 'short')
end
return waiters

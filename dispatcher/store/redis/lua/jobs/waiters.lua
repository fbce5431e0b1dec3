-- Jobs that wait for an account's credit, in the order in which they are served.
-- ARGV: 1 account  2 rank of the last one that is wanted, from 0
-- Answer: {id, missing US dollars, id, missing US dollars, ...}

local waiters = {}
for _, id in ipairs(redis.call('ZRANGE', waiting_key(ARGV[1]), 0, ARGV[2])) do
  waiters[#waiters + 1] = id
  waiters[#waiters + 1] = redis.call('HGET', job_key(id), 'short')
end
return waiters

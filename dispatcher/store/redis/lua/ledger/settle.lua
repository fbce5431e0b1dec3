-- The job is over: its holds are closed, its cost added up, once.
-- ARGV: 1 account  2 job  3 cost
-- Answer: nil

local job, cost = ARGV[2], tonumber(ARGV[3])
if redis.call('ZSCORE', settled, job) then return false end
close_holds(job, job, cost, '', 0)
return false

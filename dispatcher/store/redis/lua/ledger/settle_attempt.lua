-- An attempt of the job is over, and another follows: its holds are closed, its cost added up, once, and what is kept
-- for the next one stays held.
-- ARGV: 1 account  2 job  3 'job:attempt'  4 cost  5 name of the hold that is kept, or ''  6 its amount at most
-- Answer: nil

local job, attempt = ARGV[2], ARGV[3]
if redis.call('ZSCORE', settled, job) or redis.call('ZSCORE', settled, attempt) then return false end
close_holds(job, attempt, tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6]))
return false

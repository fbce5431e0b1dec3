-- The call had no effect: the hold is free again.
-- ARGV: 1 account  2 hold
-- Answer: nil; a hold that is unknown, or that the network confirmed, stays as it is

local id = ARGV[2]
local hold = read_hold(id)
if not hold or hold.marker then return false end
drop_hold(id, hold)
redis.call('SREM', of_job(hold.job), id)
adjust_charge(hold.job, id)
return false

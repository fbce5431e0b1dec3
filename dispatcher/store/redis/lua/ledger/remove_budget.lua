-- Forgets a budget, and a total's count with it.
-- ARGV: 1 ''  2 window  3 scope
-- Answer: nil; also if there is none

local budget = read_budget(ARGV[2], ARGV[3])
if not budget then return false end
redis.call('HDEL', budgets, ARGV[2] .. ':' .. ARGV[3])
redis.call('HDEL', totals, budget.serial .. ':u', budget.serial .. ':h')
return false

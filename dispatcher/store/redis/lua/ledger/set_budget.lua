-- Sets or changes a budget. A total that is changed keeps its count; a new one begins to count with a serial of its own.
-- ARGV: 1 ''  2 window  3 scope  4 limit  5 now
-- Answer: nil

local budget = read_budget(ARGV[2], ARGV[3])
local serial, since = budget and budget.serial, budget and budget.since
if not budget then
  serial, since = whole(redis.call('INCR', budgets .. ':serial')), ARGV[5]
end
redis.call('HSET', budgets, ARGV[2] .. ':' .. ARGV[3], ARGV[4] .. ':' .. serial .. ':' .. since)
if ARGV[2] == 'total' then
  redis.call('HSETNX', totals, serial .. ':u', '0')
  redis.call('HSETNX', totals, serial .. ':h', '0')
end
return false

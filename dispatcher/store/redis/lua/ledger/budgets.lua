-- All budgets and what is used of them.
-- ARGV: 1 ''  2 the current day  3 the current month, as in 'day:2026-11-22'
-- Answer: {window, scope, limit, since, used, held, window, ...}

local current, found = {day = ARGV[2], month = ARGV[3]}, {}
for _, field in ipairs(redis.call('HKEYS', budgets)) do
  local window, scope = string.match(field, '^(%a+):(.*)$')
  local budget = read_budget(window, scope)
  local counts
  if window == 'total' then
    counts = redis.call('HMGET', totals, budget.serial .. ':u', budget.serial .. ':h')
  else
    counts = redis.call('HMGET', window_key(current[window]), 'u:' .. scope, 'h:' .. scope)
  end
  for _, item in ipairs({window, scope, whole(budget.limit), budget.since, counts[1] or '0', counts[2] or '0'}) do
    found[#found + 1] = item
  end
end
return found

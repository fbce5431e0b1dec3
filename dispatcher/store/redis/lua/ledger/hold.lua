-- Sets an amount aside, if it is available and every budget allows it, and counts it for its job's scopes.
-- ARGV: 1 account  2 job  3 hold  4 amount  5 the job's own cap, or ''  6 now  7 day  8 month, as in 'day:2026-11-22'
--       9 when the day's counts are forgotten  10 the month's  11 scopes that a window counts at most
--       12 old windows that are forgotten at once  13 the open hold of the job whose place this one takes, or ''
--       14 'job:attempt'  15 number of scopes
--       16... scopes, then of each job that stands ahead in line: its id, the amount that it waits for
-- Answer: {'held', amount}, the amount of a hold that was there already being kept; {'short', available, promised to
--         those ahead, what the hold that was to be taken has}; {'over', scope, window, limit, used};
--         {'frozen', at, reason, by}; {'settled'} for a job, or an attempt, that is settled; {'unknown'} if no balance
--         was ever put

local job, id, amount, cap = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local taken_id, first, last = ARGV[13], 16, 15 + tonumber(ARGV[15])
local hold, taken = read_hold(id), read_hold(taken_id)
if taken and (taken.marker or taken.job ~= job) then taken = nil end
if hold and not (taken and taken_id == id) then return {'held', whole(hold.amount)} end
local has = taken and taken.amount or 0
if redis.call('ZSCORE', settled, job) or redis.call('ZSCORE', settled, ARGV[14]) then return {'settled'} end
local books = redis.call('HMGET', account, 'assigned', 'reserved', 'spent', 'unseen', 'frozen_at', 'frozen_reason',
  'frozen_by')
if books[5] then return {'frozen', books[5], books[6], books[7]} end
if cap then
  local mine = held_for(job) - has
  if mine + amount > cap then return {'over', 'job', 'total', whole(cap), whole(mine)} end
end

-- What the hold that is taken counts somewhere is not counted there while the budgets are asked, or any more.
local charged = taken and redis.call('HGET', charges, job)
if charged then adjust_charge(job, taken_id) end
local function refused(answer)
  if charged then
    local before = cjson.decode(charged)
    for _, charge in ipairs(before.charges) do
      if charge.hold == taken_id then
        count(before.scopes, charge, tonumber(charge.amount), tonumber(charge.amount))
      end
    end
    redis.call('HSET', charges, job, charged)
  end
  return answer
end

-- What ends last is asked first. Most dispatchers have few budgets, or none: then nothing is asked.
local current = {day = ARGV[7], month = ARGV[8]}
local budgeted, serials = {}, {}
if first <= last and redis.call('EXISTS', budgets) == 1 then
  for _, window in ipairs({'total', 'month', 'day'}) do
    for position = first, last do
      local scope = ARGV[position]
      local budget = read_budget(window, scope)
      if budget then
        local used
        if window == 'total' then
          used = redis.call('HGET', totals, budget.serial .. ':u')
          serials[#serials + 1] = budget.serial
        else
          used = redis.call('HGET', window_key(current[window]), 'u:' .. scope)
        end
        used = tonumber(used or '0')
        if used + amount > budget.limit then
          return refused({'over', scope, window, whole(budget.limit), whole(used)})
        end
        budgeted[scope] = true
      end
    end
  end
end

if not books[1] then return refused({'unknown'}) end
local available = tonumber(books[1]) - tonumber(books[2]) - tonumber(books[3]) - tonumber(books[4] or '0')
local promised = 0
for position = last + 1, #ARGV, 2 do
  local asked = tonumber(ARGV[position + 1])
  if asked <= available - promised then
    local _, open = held_for(ARGV[position])
    if not open then promised = promised + asked end
  end
end
if amount > has and amount - has > available - promised then
  return refused({'short', whole(available), whole(promised), whole(has)})
end

if taken then
  drop_hold(taken_id, taken)
  redis.call('SREM', of_job(job), taken_id)
end
write_hold(id, whole(amount), '', job)
redis.call('SADD', of_job(job), id)
add('unseen', amount)
add('held', amount)
if first > last then return {'held', whole(amount)} end

local made = read_charges(job) or {scopes = {}, charges = {}}
if #made.charges == 0 then
  for position = first, last do made.scopes[#made.scopes + 1] = ARGV[position] end
end
local charge = {hold = id, amount = whole(amount), totals = serials, windows = {}}
for position, window in ipairs({ARGV[7], ARGV[8]}) do
  if redis.call('ZADD', windows, 'NX', ARGV[8 + position], window) == 1 then
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', windows, '-inf', ARGV[6], 'LIMIT', 0, ARGV[12])) do
      redis.call('UNLINK', window_key(old))
      redis.call('ZREM', windows, old)
    end
  end
  local key, mask = window_key(window), {}
  for at, scope in ipairs(made.scopes) do
    local known = budgeted[scope] or redis.call('HEXISTS', key, 'u:' .. scope) == 1
    if known or redis.call('HLEN', key) < 2 * tonumber(ARGV[11]) then
      mask[at] = '1'
      redis.call('HSETNX', key, 'u:' .. scope, '0')
      redis.call('HSETNX', key, 'h:' .. scope, '0')
    else
      mask[at] = '0'
    end
  end
  charge.windows[window] = table.concat(mask)
end
count(made.scopes, charge, amount, amount)
made.charges[#made.charges + 1] = charge
write_charges(job, made)
return {'held', whole(amount)}

-- In front of every script of this folder: the keys, and the steps that several scripts share.
--
-- KEYS[1] is the prefix of all keys, ARGV[1] the account. Amounts are whole micro-dollars as text; a double holds
-- their sums exactly (up to 2^53, nine times the largest amount that is taken).
--
-- `unseen` is what the stored balance does not show yet: open holds; holds that were confirmed at a marker not older
-- than the balance's; and the tails of jobs that were settled before a balance showed their reservation. The last two
-- kinds also stand in a sorted set by their marker, so that a new balance finds what it shows.

local account = KEYS[1] .. ':credit:' .. ARGV[1]
-- hash: marker, balance_marker, balance_at, assigned, reserved, spent, unseen, held, settled, settlements, returned,
--       given_at, given, given_before, frozen_at, frozen_by, frozen_reason, audit; those that are missing are 0, or not so

local holds = account .. ':holds'         -- hash: hold -> 'amount:marker:job'; the marker is empty while it is open
local stamped = account .. ':unseen'      -- sorted set: 'h:hold' or 't:amount:job' -> marker
local settled = account .. ':settled'     -- sorted set: settled job, or 'job:attempt' -> how many were settled before it
local function of_job(job) return account .. ':job:' .. job end -- set: the job's holds

-- Settled jobs that are remembered: a settlement is repeated within minutes, when a worker died before it could save it.
local most_settled = 100000

-- Whole numbers as text, never as 1e+15. Subtract from 0, do not negate: there is no -0 in Redis.
local function whole(number) return string.format('%.0f', number) end

local function number_of(field) return tonumber(redis.call('HGET', account, field) or '0') end

local function add(field, amount) redis.call('HINCRBY', account, field, whole(amount)) end

-- A hold: {amount, marker or nil, job}; nil if there is none
local function read_hold(id)
  local value = redis.call('HGET', holds, id)
  if not value then return nil end
  local amount, marker, job = string.match(value, '^(%d+):(%d*):(.*)$')
  return {amount = tonumber(amount), marker = tonumber(marker), job = job}
end

local function write_hold(id, amount, marker, job)
  redis.call('HSET', holds, id, amount .. ':' .. marker .. ':' .. job)
end

-- Takes a hold out of the books; answers whether the balance showed it. The job's set of holds is left to the caller.
local function drop_hold(id, hold)
  local shown = hold.marker and hold.marker < number_of('balance_marker')
  redis.call('HDEL', holds, id)
  add('held', 0 - hold.amount)
  if not shown then
    add('unseen', 0 - hold.amount)
    redis.call('ZREM', stamped, 'h:' .. id)
  end
  return shown
end

-- What all holds of a job amount to, and whether one of them is open that pays for a call.
local function held_for(job)
  local sum, open = 0, false
  for _, id in ipairs(redis.call('SMEMBERS', of_job(job))) do
    local hold = read_hold(id)
    sum = sum + hold.amount
    open = open or (not hold.marker and string.sub(id, -5) ~= ':kept')
  end
  return sum, open
end

-- Holds nothing more for the account; one that is frozen already stays as it is.
local function freeze(now, reason, by)
  if redis.call('HEXISTS', account, 'frozen_at') == 1 then return end
  redis.call('HSET', account, 'frozen_at', now, 'frozen_reason', reason, 'frozen_by', by)
end

-- Spending by scope. A budget counts in the window 'day', 'month' or 'total'.

local budgets = KEYS[1] .. ':budgets'          -- hash: 'window:scope' -> 'limit:serial:since'
local totals = KEYS[1] .. ':spent:totals'      -- hash: 'serial:u' and 'serial:h', used and held, of each total budget
local windows = KEYS[1] .. ':spent:windows'    -- sorted set: 'day:2026-11-22' -> when its counts are forgotten
local charges = account .. ':charges'          -- hash: job -> JSON: where its holds are counted
local function window_key(window) return KEYS[1] .. ':spent:' .. window end -- hash: 'u:scope' and 'h:scope'

local function read_budget(window, scope)
  local value = redis.call('HGET', budgets, window .. ':' .. scope)
  if not value then return nil end
  local limit, serial, since = string.match(value, '^(%d+):(%d+):(.*)$')
  return {limit = tonumber(limit), serial = serial, since = since}
end

-- {scopes, charges}, each charge {hold, amount, totals, windows: {'day:...' = '101'}}: a digit for each scope, 1 where it
-- is counted in that window.
local function read_charges(job)
  local value = redis.call('HGET', charges, job)
  return value and cjson.decode(value) or nil
end

local function write_charges(job, made)
  if #made.charges == 0 then
    redis.call('HDEL', charges, job)
  else
    redis.call('HSET', charges, job, cjson.encode(made))
  end
end

-- Adds to the counts in which a charge is. Counts that were forgotten stay so.
local function count(scopes, charge, used, held)
  for window, mask in pairs(charge.windows) do
    local key = window_key(window)
    if redis.call('EXISTS', key) == 1 then
      for position, scope in ipairs(scopes) do
        if string.sub(mask, position, position) == '1' then
          redis.call('HINCRBY', key, 'u:' .. scope, whole(used))
          redis.call('HINCRBY', key, 'h:' .. scope, whole(held))
        end
      end
    end
  end
  for _, serial in ipairs(charge.totals) do
    if redis.call('HEXISTS', totals, serial .. ':u') == 1 then
      redis.call('HINCRBY', totals, serial .. ':u', whole(used))
      redis.call('HINCRBY', totals, serial .. ':h', whole(held))
    end
  end
end

-- A hold has another amount now, or, without one, is no more.
local function adjust_charge(job, id, amount)
  local made = read_charges(job)
  if not made then return end
  local kept = {}
  for _, charge in ipairs(made.charges) do
    if charge.hold == id then
      local more = (amount or 0) - tonumber(charge.amount)
      count(made.scopes, charge, more, more)
      charge.amount = whole(amount or 0)
    end
    if charge.hold ~= id or amount then kept[#kept + 1] = charge end
  end
  made.charges = kept
  write_charges(job, made)
end


-- Closes all holds of a job: it, or under the name `what` one of its attempts, is over and cost so much. What the network
-- reserved and no balance shows yet stays unseen as the job's tail until a balance shows it, or its cost where that is
-- more: the stored balance is from before, and what is left over is not back in the network's books because the
-- dispatcher knows that the job is over. Of what was held beyond the cost, up to `most` stays under the name `kept`.
local function close_holds(job, what, cost, kept, most)
  redis.call('ZADD', settled, redis.call('HINCRBY', account, 'settlements', 1), what)
  redis.call('ZREMRANGEBYRANK', settled, 0, -1 - most_settled)

  local total = held_for(job)
  local keep = math.min(most, math.max(total - cost, 0))
  add('returned', math.max(total - cost, 0))
  local shown, reserved = 0, 0
  for _, id in ipairs(redis.call('SMEMBERS', of_job(job))) do
    local hold = read_hold(id)
    if drop_hold(id, hold) then
      shown = shown + hold.amount
    elseif hold.marker then
      reserved = reserved + hold.amount
    end
  end
  redis.call('UNLINK', of_job(job))

  local tail = math.max(reserved, cost - shown)
  if tail > 0 then
    redis.call('ZADD', stamped, redis.call('HGET', account, 'marker') or '0', 't:' .. whole(tail) .. ':' .. what)
    add('unseen', tail)
  end
  add('settled', cost)
  if keep > 0 then
    write_hold(kept, whole(keep), '', job)
    redis.call('SADD', of_job(job), kept)
    add('unseen', keep)
    add('held', keep)
  end

  -- Its cost takes the place of its charges: what is given back is taken from the latest first, or added to it; of what
  -- is left, the latest is what is kept.
  local made = read_charges(job)
  if not made then return end
  local back, left = 0 - cost - keep, {}
  for _, charge in ipairs(made.charges) do back = back + tonumber(charge.amount) end
  for position = #made.charges, 1, -1 do
    local charge = made.charges[position]
    local amount = tonumber(charge.amount)
    local part = math.min(back, amount)
    local stays = math.max(math.min(keep, amount - part), 0)
    count(made.scopes, charge, 0 - part, stays - amount)
    back, keep = back - part, keep - stays
    if stays > 0 then
      charge.hold, charge.amount = kept, whole(stays)
      table.insert(left, 1, charge)
    end
  end
  made.charges = left
  write_charges(job, made)
end

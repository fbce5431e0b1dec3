-- In front of every script of this folder: the keys, and the steps that several scripts share.
--
-- KEYS[1] is the prefix of all keys, ARGV[1] the account. Amounts are whole micro-dollars as text; a double holds
-- their sums exactly (up to 2^53, nine times the largest amount that is taken).
--
-- `unseen` is what the stored balance does not show yet: open holds; holds that were confirmed at a marker not older
-- than the balance's; and the tails of jobs that were settled before a balance showed their reservation. The last two
-- kinds also stand in a sorted set by their marker, so that a new balance finds what it shows.

local account = KEYS[1] .. ':credit:' .. ARGV[1]
-- hash: marker, balance_marker, balance_at, assigned, reserved, spent, unseen, held, settled, settlements

local holds = account .. ':holds'         -- hash: hold -> 'amount:marker:job'; the marker is empty while it is open
local stamped = account .. ':unseen'      -- sorted set: 'h:hold' or 't:amount:job' -> marker
local settled = account .. ':settled'     -- sorted set: settled job -> how many were settled before it
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


-- In front of every script of this folder: the keys, and what is known of a lane. `memory/traffic.py` is the twin of
-- these scripts: same steps, same order, so that both count the same down to the last bit.
--
-- KEYS[1] is the prefix of all keys. ARGV of every script begins with
--   1 account  2 API  3 now  4 how far ahead another worker's clock may be  5 burst  6 rate, calls a second
-- Times are unix seconds. Those that are computed here are written with 17 digits, which is all that a double has.

local account_key = KEYS[1] .. ':traffic:account:' .. ARGV[1] .. ':' .. ARGV[2]
-- hash: tokens, at, place:posts, place:looks, paused_since, paused_until, strikes, told; looks (left at) looks_at,
--       place:pressing, place:again, place:new

local api_key = KEYS[1] .. ':traffic:api:' .. ARGV[2]
-- hash: failed_at (times, the oldest first), failures, open_since, until, cool_down, trial, trial_until,
--       trial_presses, pressed, others_next (see the twin for what they mean)

local now, ahead, burst, rate = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local atom = 0.001 -- seconds, or calls: less is a rounding error, and holds nobody back

local function exact(number) return string.format('%.17g', number) end

local function read(key)
  local values, found = redis.call('HGETALL', key), {}
  for position = 1, #values, 2 do found[values[position]] = values[position + 1] end
  return found
end

-- What a clock wrote that is far ahead of this one was another clock's: it is forgotten, or it would hold for years.
local function from_ahead(...)
  for _, time in ipairs({...}) do
    if tonumber(time) > now + ahead then return true end
  end
  return false
end

local account = read(account_key)
if not account.at or from_ahead(account.at, account.paused_since or 0) then
  redis.call('DEL', account_key)
  account = {tokens = ARGV[5], at = ARGV[3]}
end
local paused_since, paused_until = tonumber(account.paused_since or 0), tonumber(account.paused_until or 0)
local strikes = tonumber(account.strikes or 0)

local api = read(api_key)
local failed_at = {}
for time in string.gmatch(api.failed_at or '', '%S+') do failed_at[#failed_at + 1] = time end
if from_ahead(api.open_since or 0, unpack(failed_at)) then
  redis.call('DEL', api_key)
  api, failed_at = {}, {}
end
local failures = tonumber(api.failures or 0)
local half_open_at = tonumber(api['until'] or 0)

-- What is in the bucket now
local function filled()
  return math.min(tonumber(account.tokens) + math.max(now - tonumber(account.at), 0) * rate, burst)
end

-- How many looks are left now, of `most` at once that fill at `pace` a second
local function looks_left(most, pace)
  if not account.looks then return most end
  return math.min(tonumber(account.looks) + math.max(now - tonumber(account.looks_at), 0) * pace, most)
end

-- Whether a call is under way that tries whether the network is back
local function trial_is_out()
  return api.trial and tonumber(api.trial_until) > now
end


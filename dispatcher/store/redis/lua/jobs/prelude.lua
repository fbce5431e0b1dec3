-- In front of every script of this folder: the keys, and the steps that several scripts share.
--
-- KEYS[1] is the prefix of all keys; the others are made from it, since most are only known once a job was read.
-- Times are unix seconds by the caller's clock and arrive as text; Lua compares them, but never writes a time that
-- it computed, because its own text of a number loses digits.

local prefix = KEYS[1]
local agenda = prefix .. ':agenda'     -- sorted set: job -> when it falls due
local ended = prefix .. ':ended'       -- sorted set: job that is over -> when it is forgotten
local requests = prefix .. ':requests' -- hash: request id -> job
local addresses = prefix .. ':addresses' -- hash: address on the network -> job
local past = prefix .. ':addresses:past' -- hash: address of an attempt that is over -> job
local accounts = prefix .. ':waiting'  -- set: lines in which jobs wait for money; one is an account's name
local exposing = prefix .. ':exposed'  -- set: accounts that have jobs which are not over
local reasons = prefix .. ':reasons'   -- hash: reason -> how many jobs that are not over are where they are for it
local dead = prefix .. ':dead'         -- sorted set: dead letter -> since when
local most_commands = 100              -- the twin of AT_MOST in pending.py
local purged_at_once = 20
local log_at_most, log_at_last = 2000, 4000
local repeated = {waited = true, woken = true, call_undecided = true, observed = true}

-- hash: job (JSON), definition, result, state, final, created, fingerprint, request, follow_up, waits, short,
--       token, lease_until, last, answer, commanded, woken, address, exposed, reason, after (ids), past (addresses);
--       and of turns that failed: crashes, lapses, rests_until, trouble (JSON), failures, dead, dropped
local function job_key(id) return prefix .. ':job:' .. id end

-- list: events (JSON), the oldest first
local function log_key(id) return prefix .. ':log:' .. id end

-- list: commands (JSON) that no worker has taken yet
local function commands_key(id) return prefix .. ':commands:' .. id end

-- set: jobs that come after this one
local function after_key(id) return prefix .. ':after:' .. id end

-- sorted set: job in that state -> when it was created
local function state_key(state) return prefix .. ':state:' .. state end

-- sorted set: job that stands in the line -> its rank, the lowest first
local function waiting_key(account) return prefix .. ':waiting:' .. account end

-- hash: live, unlimited (numbers of jobs), committed, allowed (micro-dollars) of the account's jobs that are not over
local function exposure_key(account) return prefix .. ':exposure:' .. account end

-- Whole numbers as text, never as 1e+15, nor as -0.
local function whole(number) return string.format('%.0f', number + 0) end

-- Adds what a job can still cost to its account's sums, or with `sign` -1 takes it out; `exposed` is what the job's
-- hash keeps of it: 'live:committed:allowed:account', allowed being -1 where nothing limits the job.
local function add_exposure(exposed, sign)
  local live, committed, allowed, account = string.match(exposed, '^(%d):(%d+):(-?%d+):(.*)$')
  if live == '0' then return end
  local key = exposure_key(account)
  if redis.call('HINCRBY', key, 'live', whole(sign)) == 0 then
    redis.call('UNLINK', key) -- without jobs there is nothing to add up
    redis.call('SREM', exposing, account)
    return
  end
  redis.call('SADD', exposing, account)
  redis.call('HINCRBY', key, 'committed', whole(sign * tonumber(committed)))
  if allowed == '-1' then
    redis.call('HINCRBY', key, 'unlimited', whole(sign))
  else
    redis.call('HINCRBY', key, 'allowed', whole(sign * tonumber(allowed)))
  end
end

-- Counts one job more, or with `sign` -1 one less, for a reason; '' is that of a job that is over, and is not counted.
local function count_reason(reason, sign)
  if reason and reason ~= '' and redis.call('HINCRBY', reasons, reason, whole(sign)) == 0 then
    redis.call('HDEL', reasons, reason)
  end
end

local function stop_waiting(id, account)
  redis.call('ZREM', waiting_key(account), id)
  if redis.call('EXISTS', waiting_key(account)) == 0 then
    redis.call('SREM', accounts, account)
  end
end

-- Puts a record in place and keeps the indexes with it. It is described by ARGV[1] to ARGV[8]:
--   1 job id        2 job (JSON)                3 state      4 '1' if the state is final
--   5 line in which it waits for money, or ''   6 its rank   7 US dollars that are missing
--   8 facts (JSON): account, address on the network or '', those of earlier attempts with blanks between them, live,
--     committed, allowed (see add_exposure), reason
-- The hash must have `created` already.
local function put_record()
  local id, state, account = ARGV[1], ARGV[3], ARGV[5]
  local was = redis.call('HMGET', job_key(id), 'state', 'waits', 'created', 'exposed', 'address', 'past')
  local facts = cjson.decode(ARGV[8])
  local exposed = table.concat({whole(facts.live), whole(facts.committed), whole(facts.allowed), facts.account}, ':')
  if was[4] ~= exposed then
    if was[4] then add_exposure(was[4], -1) end
    add_exposure(exposed, 1)
  end
  local reason = redis.call('HGET', job_key(id), 'reason')
  if reason ~= facts.reason then
    count_reason(reason, -1)
    count_reason(facts.reason, 1)
  end
  if (was[5] or '') ~= facts.address then
    if was[5] and was[5] ~= '' then redis.call('HDEL', addresses, was[5]) end
    if facts.address ~= '' then redis.call('HSET', addresses, facts.address, id) end
  end
  if (was[6] or '') ~= facts.past then
    for address in string.gmatch(facts.past, '%S+') do redis.call('HSET', past, address, id) end
    redis.call('HSET', job_key(id), 'past', facts.past)
  end
  if was[1] ~= state then
    if was[1] then redis.call('ZREM', state_key(was[1]), id) end
    redis.call('ZADD', state_key(state), was[3], id)
  end
  if was[2] and was[2] ~= '' and was[2] ~= account then stop_waiting(id, was[2]) end
  if account ~= '' then
    redis.call('ZADD', waiting_key(account), ARGV[6], id)
    redis.call('SADD', accounts, account)
  end
  redis.call('HSET', job_key(id), 'job', ARGV[2], 'state', state, 'final', ARGV[4], 'waits', account, 'short', ARGV[7],
    'exposed', exposed, 'address', facts.address, 'reason', facts.reason)
end

-- Appends the events that stand in ARGV from position `first` on, but for those that a long log leaves out: the twin
-- of dispatcher/domain/eventlog.py. That is progress: no worker hung before it.
local function append_log(id, first)
  if #ARGV >= first then redis.call('HDEL', job_key(id), 'lapses') end
  local length = redis.call('LLEN', log_key(id))
  for position = first, #ARGV do
    local kind = string.match(ARGV[position], '"kind":"([%a_]+)"')
    if length < log_at_most or kind == 'ended' or (length < log_at_last and not repeated[kind]) then
      length = redis.call('RPUSH', log_key(id), ARGV[position])
    end
  end
end

-- Whether the lease that `token` stands for holds: no later claim, and not lapsed.
local function has_lease(id, token, now)
  local lease = redis.call('HMGET', job_key(id), 'token', 'lease_until')
  return lease[1] == token and lease[2] and tonumber(lease[2]) > tonumber(now)
end

-- What `save` and `release` have in common: the record, the log, the commands that are in the record now, the result,
-- the definition.
local function save_record(taken, result, definition, first_event)
  local id = ARGV[1]
  put_record()
  append_log(id, first_event)
  redis.call('LTRIM', commands_key(id), taken, -1)
  if result ~= '' then redis.call('HSET', job_key(id), 'result', result) end
  if definition ~= '' then redis.call('HSET', job_key(id), 'definition', definition) end
end

-- The kinds of the commands that wait: {stop = true, ...}
local function kinds_waiting(id)
  local kinds = {}
  for _, command in ipairs(redis.call('LRANGE', commands_key(id), 0, -1)) do
    kinds[string.match(command, '^{"kind":"(%a+)"') or 'unreadable'] = true
  end
  return kinds
end

-- What the commands that wait make the job due for, a stop first; nil without commands.
local function wanted(id)
  local kinds = kinds_waiting(id)
  if kinds['stop'] then return 'stop' end
  if kinds['extend'] then return 'extend' end
  return next(kinds) and 'dispatch' or nil
end

-- Gives a job as many tries as a new one, dead letter or not. What its trouble was is kept until a turn ends well.
local function recover(id)
  redis.call('HDEL', job_key(id), 'crashes', 'lapses', 'rests_until', 'dead')
  redis.call('ZREM', dead, id)
end

-- What is kept of the job's trouble: {trouble, failures, rests_until, dead, dropped}
local function trouble_of(id)
  return redis.call('HMGET', job_key(id), 'trouble', 'failures', 'rests_until', 'dead', 'dropped')
end

-- Brings the agenda entry forward to `now`, unless it is due earlier.
local function hasten(id, now)
  local at = redis.call('ZSCORE', agenda, id)
  if not at or tonumber(at) > tonumber(now) then redis.call('ZADD', agenda, now, id) end
end

-- Forgets a bounded number of jobs whose retention is over.
local function purge(now)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ended, '-inf', now, 'LIMIT', 0, purged_at_once)) do
    local job = redis.call('HMGET', job_key(id), 'state', 'request', 'waits', 'exposed', 'address', 'past')
    if job[1] then redis.call('ZREM', state_key(job[1]), id) end
    if job[2] and job[2] ~= '' then redis.call('HDEL', requests, job[2]) end
    if job[3] and job[3] ~= '' then stop_waiting(id, job[3]) end
    if job[4] then add_exposure(job[4], -1) end
    count_reason(redis.call('HGET', job_key(id), 'reason'), -1)
    if job[5] and job[5] ~= '' then redis.call('HDEL', addresses, job[5]) end
    for address in string.gmatch(job[6] or '', '%S+') do redis.call('HDEL', past, address) end
    redis.call('ZREM', agenda, id)
    redis.call('ZREM', ended, id)
    local upstreams = redis.call('HGET', job_key(id), 'after') or ''
    for upstream in string.gmatch(upstreams, '%S+') do redis.call('SREM', after_key(upstream), id) end
    redis.call('UNLINK', job_key(id), log_key(id), commands_key(id), after_key(id))
  end
end


-- Looks jobs over and puts right what does not fit their records.
-- ARGV: 1 now  2 now less the grace  3 now and the grace  4 this call's own mark  5 all states (JSON)
--       6 what is told of each kind of damage (JSON: name -> words)  7... job ids
-- Answer: {id, job (JSON) if it is not over or else '', due at or '', lease until or '', names of what was damaged, with
--         a blank between them, ...}

local now, lapsed_before, late_after, mark = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local states, words = cjson.decode(ARGV[5]), cjson.decode(ARGV[6])
local last_call = prefix .. ':mended' -- hash: mark and findings of the last call, for a repeat whose answer was lost
local waited_for = redis.call('SMEMBERS', accounts)

-- Takes `id` off every list of those that wait for credit but that of `account`; whether there was one.
local function not_waiting(id, account)
  local found = false
  for _, other in ipairs(waited_for) do
    if other ~= account and redis.call('ZSCORE', waiting_key(other), id) then
      stop_waiting(id, other)
      found = true
    end
  end
  return found
end

-- Nothing may point to a job that does not exist.
local function forget(id)
  local removed = redis.call('ZREM', agenda, id) + redis.call('ZREM', ended, id) + redis.call('DEL', commands_key(id))
  for _, state in ipairs(states) do removed = removed + redis.call('ZREM', state_key(state), id) end
  if not_waiting(id, nil) or removed > 0 then return {'GONE'} end
  return {}
end

-- The indexes that the record alone decides; what was wrong with them.
local function mend_indexes(id, job)
  local damages, listed = {}, true
  for _, state in ipairs(states) do
    local found = redis.call('ZSCORE', state_key(state), id)
    if state == job.state and not found then
      redis.call('ZADD', state_key(state), job.created or '0', id)
      listed = false
    elseif state ~= job.state and found then
      redis.call('ZREM', state_key(state), id)
      listed = false
    end
  end
  if not listed then damages[#damages + 1] = 'WRONG_STATE' end
  if not_waiting(id, job.waits) then damages[#damages + 1] = 'AWAITED' end
  if (job.address or '') ~= '' and redis.call('HSETNX', addresses, job.address, id) == 1 then
    damages[#damages + 1] = 'NO_ADDRESS'
  end
  return damages
end

local function mend_live(id, job, at, damages)
  local waits, told_already = job.waits or '', kinds_waiting(id)['mended']
  if waits ~= '' and not told_already and not (redis.call('ZSCORE', waiting_key(waits), id)
      and redis.call('SISMEMBER', accounts, waits) == 1) then
    damages[#damages + 1] = 'NOT_AWAITED' -- the worker's next save puts it in its place
  end
  if redis.call('ZREM', ended, id) == 1 then damages[#damages + 1] = 'FORGOTTEN' end
  if not at then damages[#damages + 1] = 'NOT_ON_AGENDA' end
  if #damages == 0 then return end
  if not told_already then
    local told = {}
    for _, name in ipairs(damages) do told[#told + 1] = words[name] end
    local detail = cjson.encode(table.concat(told, '; '))
    redis.call('RPUSH', commands_key(id),
      '{"kind":"mended","by":"reconcile","at":' .. now .. ',"seconds":0,"detail":' .. detail .. '}')
  end
  redis.call('HSET', job_key(id), 'follow_up', wanted(id))
  hasten(id, now)
end

local function mend_over(id, job, at, damages)
  if redis.call('ZSCORE', ended, id) then -- it was closed
    if redis.call('ZREM', agenda, id) == 1 then damages[#damages + 1] = 'LEFT_ON_AGENDA' end
    if redis.call('DEL', commands_key(id)) == 1 then damages[#damages + 1] = 'LEFT_COMMANDS' end
  elseif not (job.lease and job.lease >= lapsed_before) and not (at and at <= late_after) then
    damages[#damages + 1] = 'KEPT' -- a worker closes it: its holds, its place here
    redis.call('HSETNX', job_key(id), 'follow_up', 'dispatch')
    hasten(id, now)
  end
end

local before = redis.call('HMGET', last_call, 'mark', 'findings')
local told_before = before[1] == mark and cjson.decode(before[2]) or nil
local answer, findings, found = {}, {}, false
for position = 7, #ARGV do
  local id = ARGV[position]
  local hash = redis.call('HMGET', job_key(id), 'job', 'state', 'final', 'waits', 'created', 'address', 'lease_until',
    'dead')
  local at, damages = tonumber(redis.call('ZSCORE', agenda, id) or nil), {}
  local lease = hash[7] and tonumber(hash[7]) or nil
  if not hash[1] then
    damages = forget(id)
  else
    local job = {state = hash[2], waits = hash[4], created = hash[5], address = hash[6] or '', lease = lease}
    damages = mend_indexes(id, job)
    if hash[8] then
      -- a dead letter: it is off the agenda until a person brings it back
    elseif hash[3] == '1' then
      mend_over(id, job, at, damages)
    else
      mend_live(id, job, at, damages)
    end
  end
  local names = table.concat(damages, ' ')
  if told_before then names = told_before[id] or '' end
  if names ~= '' then
    findings[id] = names
    found = true
  end
  local live = hash[1] and hash[3] ~= '1'
  answer[#answer + 1] = id
  answer[#answer + 1] = live and hash[1] or ''
  answer[#answer + 1] = redis.call('ZSCORE', agenda, id) or ''
  answer[#answer + 1] = hash[7] or ''
  answer[#answer + 1] = names
end
if found then redis.call('HSET', last_call, 'mark', mark, 'findings', cjson.encode(findings)) end
return answer

-- The job is over: its holds are closed, its cost added up, once. What the network reserved and no balance shows yet
-- stays unseen as the job's tail until a balance shows it, or its cost where that is more: the stored balance is from
-- before, and what is left over is not back in the network's books because the dispatcher knows that the job is over.
-- ARGV: 1 account  2 job  3 cost
-- Answer: nil

local job, cost = ARGV[2], tonumber(ARGV[3])
if redis.call('ZSCORE', settled, job) then return false end
redis.call('ZADD', settled, redis.call('HINCRBY', account, 'settlements', 1), job)
redis.call('ZREMRANGEBYRANK', settled, 0, -1 - most_settled)

add('returned', math.max(held_for(job) - cost, 0))
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
  redis.call('ZADD', stamped, redis.call('HGET', account, 'marker') or '0', 't:' .. whole(tail) .. ':' .. job)
  add('unseen', tail)
end
add('settled', cost)

-- Its cost takes the place of its charges: the difference is given back from the latest first, or added to it.
local made = read_charges(job)
if not made then return false end
local back = 0 - cost
for _, charge in ipairs(made.charges) do back = back + tonumber(charge.amount) end
for position = #made.charges, 1, -1 do
  local charge = made.charges[position]
  local amount = tonumber(charge.amount)
  local part = math.min(back, amount)
  count(made.scopes, charge, 0 - part, 0 - amount)
  back = back - part
end
redis.call('HDEL', charges, job)
return false

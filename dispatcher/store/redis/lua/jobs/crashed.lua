-- Notes that a turn failed, and ends its lease. After too many failures in a row the job is a dead letter.
-- ARGV: 1 job id  2 token  3 this call's own mark  4 now  5 retry at  6 '1' if it raised, '0' if its worker was not heard
--       of (then the claim has counted it)  7 so many make a dead letter  8 trouble (JSON)
-- Answer: what is kept of the trouble now; nil if somebody else has the job, or if it is over and closed

local id, mark, now, due = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
local key = job_key(id)
local job = redis.call('HMGET', key, 'last', 'token', 'lease_until', 'waits')
if job[1] == mark then return trouble_of(id) end -- the repeat of a call whose answer was lost
if job[2] ~= ARGV[2] or not job[3] then return false end

redis.call('HDEL', key, 'lease_until', 'woken', 'rests_until')
if redis.call('ZSCORE', ended, id) then return false end
local failures
if ARGV[6] == '1' then
  failures = redis.call('HINCRBY', key, 'crashes', 1)
  redis.call('HDEL', key, 'lapses')
else
  failures = tonumber(redis.call('HGET', key, 'lapses') or 0)
end
if failures >= tonumber(ARGV[7]) then
  redis.call('HSET', key, 'dead', '1')
  redis.call('ZADD', dead, now, id)
  redis.call('ZREM', agenda, id)
  if job[4] and job[4] ~= '' then stop_waiting(id, job[4]) end
else
  local follow_up = wanted(id)
  -- A stop matters more than to spare a worker: its first failure is followed by another try at once.
  if failures <= 1 and follow_up == 'stop' then due = now end
  redis.call('ZADD', agenda, due, id)
  redis.call('HSET', key, 'rests_until', due)
  if follow_up then redis.call('HSET', key, 'follow_up', follow_up) end
end
redis.call('HSET', key, 'trouble', ARGV[8], 'failures', failures, 'last', mark)
return trouble_of(id)

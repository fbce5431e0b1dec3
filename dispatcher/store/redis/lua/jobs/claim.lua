-- Takes the lease on a job, with the next fencing token.
-- ARGV: 1 job id  2 now  3 lease until  4 this call's own mark
-- Answer: {token, job, commands, turns that raised, leases that lapsed}; nil if somebody has the job, if there is none,
--         if it is a dead letter, or if it rests after a crash

local id, now, mark = ARGV[1], ARGV[2], ARGV[4]
local job = redis.call('HMGET', job_key(id), 'job', 'lease_until', 'last', 'token', 'dead', 'rests_until')
if not job[1] then return false end
local token = job[4]
if job[3] ~= mark then -- else it is the repeat of a call whose answer was lost
  if job[2] and tonumber(job[2]) > tonumber(now) then return false end
  if job[5] or (job[6] and tonumber(job[6]) > tonumber(now)) then return false end
  token = redis.call('HINCRBY', job_key(id), 'token', 1)
  if job[2] then redis.call('HINCRBY', job_key(id), 'lapses', 1) end
  redis.call('HSET', job_key(id), 'lease_until', ARGV[3], 'last', mark)
  redis.call('HDEL', job_key(id), 'woken', 'rests_until')
end
local failed = redis.call('HMGET', job_key(id), 'crashes', 'lapses')
local commands = redis.call('LRANGE', commands_key(id), 0, -1)
return {tonumber(token), job[1], commands, tonumber(failed[1] or 0), tonumber(failed[2] or 0)}

-- Takes the lease on a job, with the next fencing token.
-- ARGV: 1 job id  2 now  3 lease until  4 this call's own mark
-- Answer: {token, job, commands}; nil if somebody has the job, or if there is none

local id, now, mark = ARGV[1], ARGV[2], ARGV[4]
local job = redis.call('HMGET', job_key(id), 'job', 'lease_until', 'last', 'token')
if not job[1] then return false end
local token = job[4]
if job[3] ~= mark then -- else it is the repeat of a call whose answer was lost
  if job[2] and tonumber(job[2]) > tonumber(now) then return false end
  token = redis.call('HINCRBY', job_key(id), 'token', 1)
  redis.call('HSET', job_key(id), 'lease_until', ARGV[3], 'last', mark)
  redis.call('HDEL', job_key(id), 'woken')
end
return {tonumber(token), job[1], redis.call('LRANGE', commands_key(id), 0, -1)}

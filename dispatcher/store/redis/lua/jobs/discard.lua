-- Ends a job whose record cannot be read: it counts as failed, and nobody can claim it. What is kept of it stays until
-- it is forgotten.
-- ARGV: 1 job id  2 token  3 this call's own mark  4 now  5 when it is forgotten
-- Answer: 1; nil if the lease is lost: nothing was changed

local id, now = ARGV[1], ARGV[4]
local key = job_key(id)
local job = redis.call('HMGET', key, 'last', 'state', 'created', 'waits', 'exposed')
if job[1] == ARGV[3] then return 1 end -- the repeat of a call whose answer was lost
if not has_lease(id, ARGV[2], now) then return false end
if job[2] then redis.call('ZREM', state_key(job[2]), id) end
redis.call('ZADD', state_key('failed'), job[3] or now, id)
if job[4] and job[4] ~= '' then stop_waiting(id, job[4]) end
if job[5] then add_exposure(job[5], -1) end
redis.call('HDEL', key, 'lease_until', 'exposed')
redis.call('HSET', key, 'state', 'failed', 'final', '1', 'waits', '', 'dead', '1', 'dropped', now, 'last', ARGV[3])
redis.call('ZREM', agenda, id)
redis.call('UNLINK', commands_key(id))
redis.call('ZADD', ended, 'NX', ARGV[5], id)
return 1

-- Takes the lease on a dead letter, to drop it. It falls due again when the lease ends.
-- ARGV: 1 job id  2 token under which it died  3 lease until  4 this call's own mark
-- Answer: the new token; nil if it is not dead, was dropped, or died again meanwhile

local id = ARGV[1]
local key = job_key(id)
local job = redis.call('HMGET', key, 'last', 'dead', 'dropped', 'token')
if job[1] == ARGV[4] then return tonumber(job[4]) end -- the repeat of a call whose answer was lost
if not job[2] or job[3] or job[4] ~= ARGV[2] then return false end
redis.call('HDEL', key, 'dead')
redis.call('ZREM', dead, id)
redis.call('HSET', key, 'lease_until', ARGV[3], 'last', ARGV[4])
redis.call('ZADD', agenda, ARGV[3], id)
return redis.call('HINCRBY', key, 'token', 1)

-- Makes a dead letter a job again, due at once.
-- ARGV: 1 job id  2 now  3 this call's own mark
-- Answer: 1; 0 if it is not dead, or was dropped

local id = ARGV[1]
local key = job_key(id)
local job = redis.call('HMGET', key, 'last', 'dead', 'dropped')
if job[1] == ARGV[3] then return 1 end -- the repeat of a call whose answer was lost
if not job[2] or job[3] then return 0 end
recover(id)
redis.call('HSET', key, 'last', ARGV[3])
local follow_up = wanted(id)
if follow_up then redis.call('HSET', key, 'follow_up', follow_up) end
redis.call('ZADD', agenda, ARGV[2], id)
return 1

-- Takes what is due, the longest due first; each is due again later, in case what is sent for it now gets lost.
-- Also forgets some jobs whose retention is over.
-- ARGV: 1 now  2 limit  3 when they are due again
-- Answer: {id, follow-up, id, follow-up, ...}

local due = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', agenda, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local follow_up = redis.call('HGET', job_key(id), 'follow_up')
  if follow_up then
    redis.call('ZADD', agenda, ARGV[3], id)
    due[#due + 1] = id
    due[#due + 1] = follow_up
  else
    redis.call('ZREM', agenda, id)
  end
end
purge(ARGV[1])
return due

-- Saves as `save` does, sets the agenda, and ends the lease, if the lease holds.
-- ARGV: 1-8 record  9 token  10 this call's own mark  11 now  12 due at, or '' for a job that is over  13 follow-up
--       14 when a job that is over is forgotten  15 number of commands that were taken  16 result (JSON), or ''
--       17 definition (JSON), or '' if it stays as it is  18... events
-- Answer: 1; 0 if commands came in meanwhile and the job is due at once; nil if the lease is lost: nothing was changed

local id, mark, now, due = ARGV[1], ARGV[10], ARGV[11], ARGV[12]
local key = job_key(id)
local before = redis.call('HMGET', key, 'last', 'answer', 'woken')
if before[1] == mark then
  return tonumber(before[2]) -- the repeat of a call whose answer was lost
end
if not has_lease(id, ARGV[9], now) then return false end

save_record(ARGV[15], ARGV[16], ARGV[17], 18)
redis.call('HDEL', key, 'lease_until', 'woken', 'crashes', 'lapses', 'rests_until', 'trouble', 'failures')
local answer = 1
if due == '' then
  redis.call('ZREM', agenda, id)
  redis.call('UNLINK', commands_key(id))
  redis.call('ZADD', ended, 'NX', ARGV[14], id)
else
  local follow_up = wanted(id)
  if follow_up then
    answer, due = 0, now
  elseif before[3] and tonumber(now) < tonumber(due) then
    due = now -- it was woken while somebody had it: what woke it came too late for this worker's eyes
  end
  redis.call('ZADD', agenda, due, id)
  redis.call('HSET', key, 'follow_up', follow_up or ARGV[13])
end
redis.call('HSET', key, 'last', mark, 'answer', answer)
if ARGV[12] == '' then purge(now) end
return answer

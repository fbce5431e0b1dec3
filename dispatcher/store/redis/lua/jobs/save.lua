-- Replaces the record, appends to the log and renews the lease, if the lease holds.
-- ARGV: 1-7 record  8 token  9 this call's own mark  10 now  11 lease until  12 number of commands that were taken
--       13 result (JSON), or ''  14... events
-- Answer: the commands that wait; nil if the lease is lost: nothing was changed

local id, mark = ARGV[1], ARGV[9]
if redis.call('HGET', job_key(id), 'last') ~= mark then -- else it is the repeat of a call whose answer was lost
  if not has_lease(id, ARGV[8], ARGV[10]) then return false end
  save_record(ARGV[12], ARGV[13], 14)
  redis.call('HSET', job_key(id), 'lease_until', ARGV[11], 'last', mark)
end
return redis.call('LRANGE', commands_key(id), 0, -1)

-- Replaces the record, appends to the log and renews the lease, if the lease holds.
-- ARGV: 1-8 record  9 token  10 this call's own mark  11 now  12 lease until  13 number of commands that were taken
--       14 result (JSON), or ''  15 definition (JSON), or '' if it stays as it is  16... events
-- Answer: the commands that wait; nil if the lease is lost: nothing was changed

local id, mark = ARGV[1], ARGV[10]
if redis.call('HGET', job_key(id), 'last') ~= mark then -- else it is the repeat of a call whose answer was lost
  if not has_lease(id, ARGV[9], ARGV[11]) then return false end
  save_record(ARGV[13], ARGV[14], ARGV[15], 16)
  redis.call('HSET', job_key(id), 'lease_until', ARGV[12], 'last', mark)
end
return redis.call('LRANGE', commands_key(id), 0, -1)

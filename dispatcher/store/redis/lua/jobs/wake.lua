-- Makes jobs due at once. One that somebody works on is due again as soon as it is released.
-- ARGV: 1 now  2... job ids; those that are unknown or over are skipped
-- Answer: nil

for position = 2, #ARGV do
  local id = ARGV[position]
  if redis.call('ZSCORE', agenda, id) and redis.call('EXISTS', job_key(id)) == 1 then
    redis.call('HSET', job_key(id), 'woken', '1')
    hasten(id, ARGV[1])
  end
end
return false

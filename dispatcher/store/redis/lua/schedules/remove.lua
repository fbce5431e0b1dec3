-- Forgets a schedule.
-- ARGV: 1 name
-- Answer: nil; also if there is none

redis.call('UNLINK', schedule_key(ARGV[1]))
redis.call('SREM', names, ARGV[1])
redis.call('ZREM', wakes, ARGV[1])
return false

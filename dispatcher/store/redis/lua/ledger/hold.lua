-- Sets an amount aside, if it is available.
-- ARGV: 1 account  2 job  3 hold  4 amount
-- Answer: {'held', amount}, the amount of a hold that was there already being kept; {'short', available};
--         {'settled'} for a job that is settled; {'unknown'} if no balance was ever put

local job, id, amount = ARGV[2], ARGV[3], ARGV[4]
local hold = read_hold(id)
if hold then return {'held', whole(hold.amount)} end
if redis.call('ZSCORE', settled, job) then return {'settled'} end
local books = redis.call('HMGET', account, 'assigned', 'reserved', 'spent', 'unseen')
if not books[1] then return {'unknown'} end
local available = tonumber(books[1]) - tonumber(books[2]) - tonumber(books[3]) - tonumber(books[4] or '0')
if tonumber(amount) > available then return {'short', whole(available)} end
write_hold(id, amount, '', job)
redis.call('SADD', of_job(job), id)
add('unseen', tonumber(amount))
add('held', tonumber(amount))
return {'held', amount}

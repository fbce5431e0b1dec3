-- The network reserved the amount: balances that are asked for after the last marker show it.
-- ARGV: 1 account  2 hold  3 amount
-- Answer: nil; a hold that is unknown, or confirmed already, stays as it is

local id, amount = ARGV[2], ARGV[3]
local hold = read_hold(id)
if not hold or hold.marker then return false end
local marker = redis.call('HGET', account, 'marker') or '0'
write_hold(id, amount, marker, hold.job)
redis.call('ZADD', stamped, marker, 'h:' .. id)
add('unseen', tonumber(amount) - hold.amount)
add('held', tonumber(amount) - hold.amount)
adjust_charge(hold.job, id, tonumber(amount))
return false

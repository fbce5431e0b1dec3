-- Keeps what a comparison with the network's books found, unless another one came since.
-- ARGV: 1 account  2 audit (JSON)  3 the one that was there, or ''
-- Answer: 1; 0 if another one came between: nothing was changed

local there = redis.call('HGET', account, 'audit') or ''
if there == ARGV[2] then return 1 end -- the repeat of a call whose answer was lost
if there ~= ARGV[3] then return 0 end
redis.call('HSET', account, 'audit', ARGV[2])
return 1

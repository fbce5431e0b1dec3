-- Takes the turn, unless somebody took it less than a period ago. A turn in the future counts likewise, since clocks
-- of different machines are a little apart; one further ahead was taken by another clock and is ignored.
-- ARGV: 1 name  2 now  3 period, seconds
-- Answer: 1 if this caller has the turn, else 0

local turns = prefix .. ':turns'
local taken = redis.call('HGET', turns, ARGV[1])
if taken and math.abs(tonumber(ARGV[2]) - tonumber(taken)) < tonumber(ARGV[3]) then return 0 end
redis.call('HSET', turns, ARGV[1], ARGV[2])
return 1

-- Notes what the network answered, and what that shows, unless a later answer is there.
-- ARGV: 1 account  2 marker  3 assigned  4 reserved  5 settled by the network  6 now
--       7 why the account is frozen with this balance, or ''  8 seconds for which what is given back may be on its way
-- Answer: 1; 0 if a later one is there: nothing was changed

local marker = ARGV[2]
local last = redis.call('HGET', account, 'balance_marker')
if last and tonumber(marker) < tonumber(last) then return 0 end
redis.call('HSET', account, 'balance_marker', marker, 'assigned', ARGV[3], 'reserved', ARGV[4], 'spent', ARGV[5],
  'balance_at', ARGV[6])
-- What had been given back so long ago has arrived: two notes are kept, at least so far apart.
local given = redis.call('HMGET', account, 'given_at', 'given', 'returned')
if not given[1] then
  redis.call('HSET', account, 'given_at', ARGV[6], 'given', given[3] or '0')
elseif math.abs(tonumber(ARGV[6]) - tonumber(given[1])) >= tonumber(ARGV[8]) then
  redis.call('HSET', account, 'given_at', ARGV[6], 'given_before', given[2], 'given', given[3] or '0')
end
if ARGV[7] ~= '' then freeze(ARGV[6], ARGV[7], 'balance') end

-- Stamped before this marker was taken, so in the answer. Each entry is met once here in its life.
local shown = 0
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', stamped, '-inf', '(' .. marker)) do
  local tail = string.match(entry, '^t:(%d+):')
  if tail then
    shown = shown + tonumber(tail)
  else
    shown = shown + read_hold(string.sub(entry, 3)).amount
  end
end
redis.call('ZREMRANGEBYSCORE', stamped, '-inf', '(' .. marker)
add('unseen', 0 - shown)
return 1

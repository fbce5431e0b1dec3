-- Notes what the network answered, and what that shows, unless a later answer is there.
-- ARGV: 1 account  2 marker  3 assigned  4 reserved  5 settled by the network  6 now
--       7 why the account is frozen with this balance, or ''
-- Answer: 1; 0 if a later one is there: nothing was changed

local marker = ARGV[2]
local last = redis.call('HGET', account, 'balance_marker')
if last and tonumber(marker) < tonumber(last) then return 0 end
redis.call('HSET', account, 'balance_marker', marker, 'assigned', ARGV[3], 'reserved', ARGV[4], 'spent', ARGV[5],
  'balance_at', ARGV[6])
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

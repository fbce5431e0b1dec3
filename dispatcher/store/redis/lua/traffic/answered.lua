-- Takes in how an admitted call ended.
-- ARGV: 1-6 see the prelude  7 this call's own mark  8 outcome  9 Retry-After in seconds, or ''  10 when it was admitted
--       11 '1' if the breaker was open then  12 its trial, or ''  13 first and 14 longest pause
--       15 failures that open the breaker  16 within how long  17 first and 18 longest cool-down
-- Answer: what changed for everybody, as letters: P paused, O opened, C closed

local mark, outcome, admitted_at = ARGV[7], ARGV[8], tonumber(ARGV[10])
-- The last sixteen calls with their answers: the repeat of one whose answer was lost must not count twice.
local told = account.told or ''
local before = string.match(told, mark .. '=(%a*)')
if before then return before end

local changes = ''
local wait = tonumber(ARGV[9])
if wait == 0 then wait = nil end
if outcome == 'limited' or (outcome == 'failed' and wait) then
  local begins = paused_until <= now
  local length = wait
  if not wait then
    -- What was under way when the pause began says nothing new.
    if begins or admitted_at > paused_since then strikes = strikes + 1 end
    length = math.min(tonumber(ARGV[13]) * 2 ^ (math.min(math.max(strikes, 1), 30) - 1), tonumber(ARGV[14]))
  end
  if begins then
    changes = changes .. 'P'
    redis.call('HSET', account_key, 'paused_since', ARGV[3])
  end
  redis.call('HSET', account_key, 'paused_until', exact(math.max(paused_until, now + length)), 'strikes', exact(strikes))
elseif outcome == 'answered' and admitted_at > paused_since then
  redis.call('HDEL', account_key, 'strikes')
end

if outcome ~= 'failed' then
  if not api.open_since then
    redis.call('DEL', api_key)
  elseif ARGV[11] == '1' then
    changes = changes .. 'C'
    redis.call('DEL', api_key)
  end
else
  redis.call('HINCRBY', api_key, 'failures', 1)
  if not api.open_since then
    failed_at[#failed_at + 1] = ARGV[3]
    local enough = tonumber(ARGV[15])
    if #failed_at > enough then table.remove(failed_at, 1) end
    if #failed_at == enough and now - tonumber(failed_at[1]) <= tonumber(ARGV[16]) then
      changes = changes .. 'O'
      redis.call('HDEL', api_key, 'failed_at')
      redis.call('HSET', api_key, 'open_since', ARGV[3], 'cool_down', ARGV[17],
        'until', exact(now + tonumber(ARGV[17])))
    else
      redis.call('HSET', api_key, 'failed_at', table.concat(failed_at, ' '))
    end
  elseif ARGV[12] ~= '' and api.trial == ARGV[12] then
    local cool_down = math.min(tonumber(api.cool_down) * 2, tonumber(ARGV[18]))
    redis.call('HSET', api_key, 'cool_down', exact(cool_down), 'until', exact(now + cool_down))
    redis.call('HDEL', api_key, 'trial', 'trial_until', 'trial_presses', 'pressed', 'others_next')
    if api.trial_presses == '1' then redis.call('HSET', api_key, 'others_next', '1') end
  end
end

local entry = mark .. '=' .. changes .. ' '
local kept = {entry}
for other in string.gmatch(told, '%S+ ') do
  if #kept < 16 then kept[#kept + 1] = other end
end
redis.call('HSET', account_key, 'told', table.concat(kept), 'tokens', account.tokens, 'at', account.at)
return changes

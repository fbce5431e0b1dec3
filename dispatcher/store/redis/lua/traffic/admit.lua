-- Lets a call go out, or says what holds it back. A repeat after a lost answer takes a second place in the bucket, which
-- does no harm, and stays the trial that it was.
-- ARGV: 1-6 see the prelude  7 this call's own mark  8 '1' for a stop or an extension  9 after when that is worth
--       nothing, or ''  10 seconds into a pause after which it is tried all the same  11 what must be in the bucket
--       12 queue, or ''  13 '1' for a post  14 first cool-down  15 seconds for which a trial may be out
--       16 longest wait for a place in the bucket
-- Answer: {'admitted', '1' if watched, '1' if the breaker is open, trial or ''}
--         {'held', until, by, paused until or '', failures in a row, '1' if a trial is wanted}

local mark, pressing = ARGV[7], ARGV[8] == '1'
local cool_down = tonumber(ARGV[14])

local function held(till, by, paused, trial_wanted)
  return {'held', exact(till), by, paused or '', exact(failures), trial_wanted or '0'}
end

-- A pause
local till = paused_until
if pressing then
  local longest = paused_since + tonumber(ARGV[10])
  if ARGV[9] ~= '' then
    longest = math.min(longest, paused_since + math.max((tonumber(ARGV[9]) - paused_since) / 2, 0))
  end
  till = math.min(till, longest)
end
if till - now > atom then return held(till, 'pause', exact(paused_until)) end

-- The breaker
local is_mine = api.trial == mark
if api.open_since and not pressing and not is_mine then
  local ready = half_open_at
  if api.pressed and not api.others_next then ready = ready + tonumber(api.cool_down) / 2 end
  if ready - now > atom then return held(ready, 'breaker') end
  if trial_is_out() then return held(math.min(tonumber(api.trial_until), now + cool_down), 'breaker') end
  if ARGV[13] == '1' then return held(now + cool_down, 'breaker', nil, '1') end
end

-- The bucket
local lacking = tonumber(ARGV[11]) - filled()
if lacking > atom then
  local back = now + lacking / rate
  if ARGV[12] ~= '' then
    -- Each who waits gets a later place, so that they do not all come back at once.
    local place = 'place:' .. ARGV[12]
    back = math.max(back, tonumber(account[place] or 0) + 1 / rate)
    back = math.min(back, now + tonumber(ARGV[16]))
    redis.call('HSET', account_key, place, exact(back), 'tokens', account.tokens, 'at', account.at)
  end
  return held(back, 'rate')
end

local last = tonumber(account.at) > now and account.at or ARGV[3]
redis.call('HSET', account_key, 'tokens', exact(filled() - 1), 'at', last)
if not api.open_since then
  return {'admitted', (failures > 0 or strikes > 0) and '1' or '0', '0', ''}
end
local trial = is_mine and mark or ''
local due = now >= half_open_at - atom and not (pressing and api.others_next)
if due and not trial_is_out() then
  trial = mark
  redis.call('HSET', api_key, 'trial', mark, 'trial_until', exact(now + tonumber(ARGV[15])), 'trial_presses', ARGV[8])
end
if pressing then redis.call('HSET', api_key, 'pressed', '1') end
return {'admitted', '1', '1', trial}

-- Lets a call go out, or says what holds it back. A repeat after a lost answer takes a second place in the bucket, which
-- does no harm, and stays the trial that it was.
-- ARGV: 1-6 see the prelude  7 this call's own mark  8 '1' for a stop or an extension  9 after when that is worth
--       nothing, or ''  10 seconds into a pause after which it is tried all the same  11 what must be in the bucket
--       12 queue, or ''  13 '1' for a post  14 first cool-down  15 seconds for which a trial may be out
--       16 longest wait for a place in the bucket  17 for a look at a job that is counted: 'pressing', 'again' or 'new',
--       else ''  18 looks at once  19 looks a second  20 how many must be left
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

-- The looks: each who waits has a turn of his own. Who comes new stands behind all of them, unless so much is left
-- that they do not need it: some of them may never come back.
local looking = ARGV[17]
if looking ~= '' then
  local most, pace = tonumber(ARGV[18]), tonumber(ARGV[19])
  local left = looks_left(most, pace)
  local short = tonumber(ARGV[20]) - left
  local place = 'place:' .. looking
  local latest, may_go = tonumber(account[place] or 0), short <= atom
  if looking == 'new' then
    latest = math.max(latest, tonumber(account['place:again'] or 0))
    may_go = may_go and (latest - now <= atom or most - left <= atom)
  end
  if not may_go then
    local back = math.max(now + math.max(short, 0) / pace, latest + 1 / pace)
    redis.call('HSET', account_key, place, exact(back), 'tokens', account.tokens, 'at', account.at)
    return held(back, 'looks')
  end
  local looks_at = tonumber(account.looks_at or 0) > now and account.looks_at or ARGV[3]
  redis.call('HSET', account_key, 'looks', exact(left - 1), 'looks_at', looks_at)
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

-- In front of every script of this folder: the keys. KEYS[1] is the prefix of all keys. Times are unix seconds by the
-- caller's clock and arrive as text.

local prefix = KEYS[1]
local wakes = prefix .. ':schedules:wakes'   -- sorted set: schedule -> when it has to be looked at again
local names = prefix .. ':schedules'         -- set: all schedules
local serial = prefix .. ':schedules:serial' -- counter: one for each change of any schedule

-- hash: schedule (JSON), state (JSON), source, generation, version, last (the mark of the last change)
local function schedule_key(name) return prefix .. ':schedule:' .. name end

-- Leaves a command for a job and makes it due at once. A job that is over keeps none; of several stops, retries or
-- resolutions, the first is kept. A stop revives a dead letter; other commands wait there. A change of policies that
-- would be one too many is not taken.
-- ARGV: 1 job id  2 kind  3 command (JSON)  4 now  5 this call's own mark
-- Answer: 1; 0 if there is no such job, or the command is not taken

local id, kind, mark = ARGV[1], ARGV[2], ARGV[5]
local key = job_key(id)
local job = redis.call('HMGET', key, 'final', 'commanded')
if not job[1] then return 0 end
-- The marks of the last eight commands: the repeat of a call whose answer was lost must not extend twice, even if a
-- worker has taken the command in between.
local marks = job[2] or ''
if job[1] == '1' or string.find(marks, mark, 1, true) then return 1 end

local kept
if kind == 'extend' or kind == 'policies' then
  kept = redis.call('LLEN', commands_key(id)) < most_commands
  if not kept and kind == 'policies' then return 0 end
else
  kept = not kinds_waiting(id)[kind]
end
if kept then redis.call('RPUSH', commands_key(id), ARGV[3]) end
redis.call('HSET', key, 'follow_up', wanted(id) or 'dispatch', 'commanded', string.sub(mark .. ' ' .. marks, 1, 8 * (#mark + 1)))
if kind == 'stop' then recover(id) end
if redis.call('HEXISTS', key, 'dead') == 0 then hasten(id, ARGV[4]) end
return 1

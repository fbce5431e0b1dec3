-- Keeps a new schedule, or replaces one and its state if it is as it was when it was read.
-- ARGV: 1 name  2 this call's own mark  3 the version that was read, or '' for a new one  4 state (JSON)
--       5 when it has to be looked at, or ''  6 source  7 schedule (JSON), or '' to leave it as it is
-- Answer: {generation, version}; nil if it is another by now, gone, or, for a new one, there: nothing was changed

local name, mark = ARGV[1], ARGV[2]
local key = schedule_key(name)
local kept = redis.call('HMGET', key, 'last', 'version', 'generation')
if kept[1] == mark then return {kept[3], kept[2]} end -- the repeat of a call whose answer was lost
if (kept[2] or '') ~= ARGV[3] then return false end
local version = tostring(redis.call('INCR', serial))
local generation = kept[3] or version
redis.call('HSET', key, 'last', mark, 'version', version, 'generation', generation, 'state', ARGV[4], 'source', ARGV[6])
if ARGV[7] ~= '' then redis.call('HSET', key, 'schedule', ARGV[7]) end
redis.call('SADD', names, name)
if ARGV[5] == '' then
  redis.call('ZREM', wakes, name)
else
  redis.call('ZADD', wakes, ARGV[5], name)
end
return {generation, version}

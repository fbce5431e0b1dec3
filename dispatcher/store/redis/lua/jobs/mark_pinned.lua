-- Remembers that a definition is pinned; of very many the latest.
-- ARGV: 1 'account:CID'
-- Answer: nil

local pins = prefix .. ':pins' -- sorted set: 'account:CID' -> the how-manieth it was
local at_most = 100000         -- the twin of PINS_AT_MOST in memory/notes.py

if redis.call('ZSCORE', pins, ARGV[1]) then return false end
local latest = redis.call('ZREVRANGE', pins, 0, 0, 'WITHSCORES')
redis.call('ZADD', pins, (tonumber(latest[2]) or 0) + 1, ARGV[1])
redis.call('UNLINK', prefix .. ':pinned') -- where they were before, without a bound
redis.call('ZREMRANGEBYRANK', pins, 0, -1 - at_most)
return false

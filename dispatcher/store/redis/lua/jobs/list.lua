-- Jobs in the given states, the newest first.
-- ARGV: 1 rank of the first one that is wanted, from 0  2 rank of the last  3... states
-- Answer: {{id, job (JSON), state}, what is kept of its trouble, ...}

local found = {}
for position = 3, #ARGV do
  local newest = redis.call('ZREVRANGE', state_key(ARGV[position]), 0, ARGV[2], 'WITHSCORES')
  for at = 1, #newest, 2 do
    found[#found + 1] = {newest[at], tonumber(newest[at + 1])}
  end
end
table.sort(found, function(one, other)
  if one[2] == other[2] then return one[1] > other[1] end
  return one[2] > other[2]
end)
local jobs = {}
for position = ARGV[1] + 1, math.min(ARGV[2] + 1, #found) do
  local id = found[position][1]
  local job = redis.call('HMGET', job_key(id), 'job', 'state')
  jobs[#jobs + 1] = {id, job[1], job[2]}
  jobs[#jobs + 1] = trouble_of(id)
end
return jobs

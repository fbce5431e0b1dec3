-- Jobs for which something is held, in the order of their ids.
-- ARGV: 1 account  2 how many at most  3 only those after this id, or ''
-- Answer: {job, amount, job, amount, ...}

local sums, jobs = {}, {}
for _, id in ipairs(redis.call('HKEYS', holds)) do
  local hold = read_hold(id)
  if hold.job > ARGV[3] then
    if not sums[hold.job] then
      sums[hold.job] = 0
      jobs[#jobs + 1] = hold.job
    end
    sums[hold.job] = sums[hold.job] + hold.amount
  end
end
table.sort(jobs)
local found = {}
for position = 1, math.min(#jobs, tonumber(ARGV[2])) do
  found[#found + 1] = jobs[position]
  found[#found + 1] = whole(sums[jobs[position]])
end
return found

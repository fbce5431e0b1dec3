-- The account's books, taken apart at one moment.
-- ARGV: 1 account
-- Answer: {assigned, reserved, spent, held, unseen, settled, settlements, returning, of the holds: open, unshown,
--         number of jobs, audit or ''}; nil if no balance was ever put

local books = redis.call('HMGET', account, 'assigned', 'reserved', 'spent', 'held', 'unseen', 'settled', 'settlements',
  'returned', 'balance_marker', 'audit', 'given_before')
if not books[1] then return false end
local open, unshown, jobs, known = 0, 0, 0, {}
for _, id in ipairs(redis.call('HKEYS', holds)) do
  local hold = read_hold(id)
  if not hold.marker then
    open = open + hold.amount
  elseif hold.marker >= tonumber(books[9]) then
    unshown = unshown + hold.amount
  end
  if not known[hold.job] then
    known[hold.job] = true
    jobs = jobs + 1
  end
end
local answer = {}
for position = 1, 8 do answer[position] = books[position] or '0' end
answer[8] = whole(tonumber(answer[8]) - tonumber(books[11] or '0'))
answer[9], answer[10], answer[11], answer[12] = whole(open), whole(unshown), whole(jobs), books[10] or ''
return answer

-- Stores a new job, due, with its request id, definition and first event; or finds the one that has the request id.
-- ARGV: 1-7 record  8 request id, or ''  9 fingerprint  10 created  11 due at  12 follow-up  13 definition  14 event
-- Answer: {id, 1 if it is new, 1 if it asked for the same}

local id, request, fingerprint = ARGV[1], ARGV[8], ARGV[9]
if redis.call('EXISTS', job_key(id)) == 1 then
  return {id, 1, 1} -- the repeat of a call whose answer was lost
end
if request ~= '' then
  local other = redis.call('HGET', requests, request)
  if other then
    local same = redis.call('HGET', job_key(other), 'fingerprint') == fingerprint
    return {other, 0, same and 1 or 0}
  end
  redis.call('HSET', requests, request, id)
end
redis.call('HSET', job_key(id), 'created', ARGV[10], 'fingerprint', fingerprint, 'request', request,
  'follow_up', ARGV[12], 'definition', ARGV[13])
put_record()
append_log(id, 14)
redis.call('ZADD', agenda, ARGV[11], id)
return {id, 1, 1}

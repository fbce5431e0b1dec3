-- Stores a new job, due, with its request id, definition and first event; or finds the one that has the request id.
-- ARGV: 1-8 record  9 request id, or ''  10 fingerprint  11 created  12 due at  13 follow-up  14 definition
--       15 ids of the jobs that it comes after, with blanks between them  16 event
-- Answer: {id, 1 if it is new, 1 if it asked for the same}

local id, request, fingerprint = ARGV[1], ARGV[9], ARGV[10]
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
redis.call('HSET', job_key(id), 'created', ARGV[11], 'fingerprint', fingerprint, 'request', request,
  'follow_up', ARGV[13], 'definition', ARGV[14])
if ARGV[15] ~= '' then
  redis.call('HSET', job_key(id), 'after', ARGV[15])
  for upstream in string.gmatch(ARGV[15], '%S+') do redis.call('SADD', after_key(upstream), id) end
end
put_record()
append_log(id, 16)
redis.call('ZADD', agenda, ARGV[12], id)
return {id, 1, 1}

-- When the next job falls due.
-- Answer: unix seconds as text, or nil

return redis.call('ZRANGE', agenda, 0, 0, 'WITHSCORES')[2] or false

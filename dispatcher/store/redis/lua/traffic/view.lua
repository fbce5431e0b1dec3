-- A lane as it stands. Nothing is changed but what a clock wrote that is far ahead.
-- ARGV: 1-6 see the prelude  7 looks at once and 8 a second, or '' where they are not counted
-- Answer: {calls that could go out, paused until, open since, half-open at, failures in a row, looks that could go out,
--          when the last look that waits has its turn}; '' for what there is not

local last = tonumber(account['place:new'] or 0)

return {
  exact(filled()),
  paused_until > now and exact(paused_until) or '',
  api.open_since or '',
  api.open_since and exact(half_open_at) or '',
  exact(failures),
  ARGV[8] ~= '' and exact(looks_left(tonumber(ARGV[7]), tonumber(ARGV[8]))) or '',
  last > now and exact(last) or '',
}

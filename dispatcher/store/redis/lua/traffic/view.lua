-- A lane as it stands. Nothing is changed but what a clock wrote that is far ahead.
-- ARGV: 1-6 see the prelude
-- Answer: {calls that could go out, paused until, open since, half-open at, failures in a row}; '' for what there is not

return {
  exact(filled()),
  paused_until > now and exact(paused_until) or '',
  api.open_since or '',
  api.open_since and exact(half_open_at) or '',
  exact(failures),
}

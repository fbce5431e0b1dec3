-- Holds nothing more for the account. One that is frozen already stays as it is.
-- ARGV: 1 account  2 now  3 reason  4 by whom
-- Answer: nil

freeze(ARGV[2], ARGV[3], ARGV[4])
return false

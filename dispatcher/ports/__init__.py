"""What the engine needs from outside, as small protocols, and the values that cross them.

Belongs here: protocols, and frozen values with no behaviour. May not be here: an implementation, a library's
type, a decision. Time is always a parameter (`now`, unix seconds by the dispatcher's clock).
"""

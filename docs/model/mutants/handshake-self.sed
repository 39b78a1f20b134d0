# Redundant here: one's own contribution is taken from the other side.
# EXPECT
s/if WS <> W then//
s/if WN <> W then//

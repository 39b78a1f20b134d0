# Redundant here: one's own W is taken from the other end.
# EXPECT
/^  if V <> pk(w) then$/d

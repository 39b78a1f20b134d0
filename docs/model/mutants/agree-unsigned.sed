# Redundant here: commits are not signed.
# EXPECT
/^  if verify(sg, W1, T_commit, r, E) then/d

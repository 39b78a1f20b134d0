# There is no signature inside: the chain's key is all, and every member has that.
# EXPECT M2=false M3=false
/^  if verify(sg, W, T_message, r, (E, cid, body)) then$/d

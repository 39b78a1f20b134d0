# Whose a working key is, the identity does not sign.
# EXPECT B4=false B5=false B6=false B7=false
/^  if verify(known, I, T_contribution, r, (W, rest)) then$/d

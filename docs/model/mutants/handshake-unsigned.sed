# Redundant here: contributions are not signed by the identity.
# EXPECT
/^  if verify(sg, J, T_contribution, r, (J, d, W[SN], ho[SN], he[SN])) then$/d

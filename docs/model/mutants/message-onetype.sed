# All that W signs has one type.
# EXPECT M2=false M3=false
s/out(c, sign(w, T_edge, r2, m))/out(c, sign(w, T_message, r2, m))/

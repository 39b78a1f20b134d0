# The contribution may be another's than the stream's peer.
# EXPECT Q8=false Q9=false
s/if JS = J then //
s/if JN = J then //
s/verify(sg, J, T_contribution, r, (J, d, WS/verify(sg, JS, T_contribution, r, (JS, d, WS/
s/verify(sg, J, T_contribution, r, (J, d, WN/verify(sg, JN, T_contribution, r, (JN, d, WN/
s/let xS = Ctx(r, J, d, WS)/let xS = Ctx(r, JS, d, WS)/
s/let xN = Ctx(r, J, d, WN)/let xN = Ctx(r, JN, d, WN)/

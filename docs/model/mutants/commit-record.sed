# Channels have no forward secrecy: who steals a W later opens what was recorded.
# EXPECT S5=false
s/^process !Process |/process ( phase 1; !( in(c, w: skey); get inbox(=pk(w), d) in out(c, d) ) ) | !Process |/

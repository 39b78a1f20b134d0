# Whoever has d hands it over any channel, to members that the commit does not list, too.
# EXPECT S4=false S5=false
s/^  ( in(c, x: pkey); if x = u || x = v || x = w then/  ( in(c, x: pkey);/

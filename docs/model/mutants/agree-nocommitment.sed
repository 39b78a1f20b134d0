# d is not committed to: two members are given two.
# EXPECT G3=false G4=false
s/^  if hd = H_secret(core, d) then/  /

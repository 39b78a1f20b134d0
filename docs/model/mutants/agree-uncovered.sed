# E does not cover the commitment to d.
# EXPECT G3=false G4=false
s/let E = H_commit(core, hd) in/let E = H_commit(core, who) in/

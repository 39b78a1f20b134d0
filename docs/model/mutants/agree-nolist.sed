# The core does not have H(list).
# EXPECT G3=false G4=false G5=false
s/let core = Core(pos, who, hl) in/let core = Core(pos, who, who) in/

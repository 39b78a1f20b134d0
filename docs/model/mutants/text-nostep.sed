# The chain does not step: a later theft opens all texts.
# EXPECT T1=false T2=false
s/let c2 = X_next(c1) in let c3 = X_next(c2) in let c4 = X_next(c3) in/let c2 = c1 in let c3 = c1 in let c4 = c1 in/

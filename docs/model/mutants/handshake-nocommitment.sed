# Redundant here: H(open, a) is not compared (agree.pv needs it).
# EXPECT
/^  if H_open(X_term(sS, xS)) = hoS then$/d
/^  if H_open(X_term(sN, xN)) = hoN then$/d

# Encapsulations leave out whom the notice names.
# EXPECT N4=false
/ = fail$/d
s/^  otherwise forall d: domain/  reduc forall d: domain/

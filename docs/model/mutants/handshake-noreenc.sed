# Redundant here: the encapsulation is not made again, only the plaintext's binding is compared (see opening.pv).
# EXPECT
s/if encS = encapsulate(p, d, sS, xS) then/if bS = bind(xS) then/
s/if encN = encapsulate(p, d, sN, xN) then/if bN = bind(xN) then/

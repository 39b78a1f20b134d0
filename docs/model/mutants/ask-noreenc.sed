# Redundant here: the encapsulation is not made again (see opening.pv).
# EXPECT
s/if enc = abe_enc(q, d, (s, qbind(x)), X_qcoins(s, x)) then/if b = qbind(x) then/

# Redundant here: the encapsulation is not made again, only the plaintext's binding is compared (see opening.pv).
# EXPECT
s/^  if enc = abe_enc(x, d, (s, bind(k)), X_coins(s, k)) then  */  if b = bind(k) then /

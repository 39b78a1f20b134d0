# The encapsulation is not made again, only the plaintext's binding is compared. (ProVerif finds no attack trace for an
# equivalence, but the attack is plain: send abe_bad.)
# EXPECT O1=unproved
s/if enc = abe_enc(p, d, (s, bind(x)), X_coins(s, x)) then/if b = bind(x) then/
s/if enc = abe_enc(p, d, (s, qbind(x)), X_qcoins(s, x)) then/if b = qbind(x) then/

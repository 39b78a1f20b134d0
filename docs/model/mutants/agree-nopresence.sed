# Entries do not have the presence's hash, so nothing pins the addresses that the session id covers.
# EXPECT G3=false G4=false
s/^fun H_pres(pkey, bitstring): hash\./fun H_pres0(pkey): hash. letfun H_pres(w: pkey, ad: bitstring) = H_pres0(w)./

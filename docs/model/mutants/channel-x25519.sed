# Redundant: ML-KEM is broken from the start, and X25519 is not.
# EXPECT
s/^fun kpub.*/fun kpub(kemkey): kempub. fun sh(kemkey, kemkey): key.\nequation forall x,y: kemkey; sh(x,y) = sh(y,x)./
s/^reduc forall e: kemkey, z: key; unkem.*/reduc forall x: kemkey, y: kemkey; dh(x, kpub(y)) = sh(x,y)./
s/unkem(ct, e)/dh(e, ct)/
s/new z: key; let ct = kem(e, z) in/new y: kemkey; let ct = kpub(y) in let z = dh(y, e) in/
s/Tr(hash, kempub, bitstring, pkey)/Tr(hash, kempub, kempub, pkey)/
s/in(c, (ct: bitstring, s: bitstring))/in(c, (ct: kempub, s: bitstring))/

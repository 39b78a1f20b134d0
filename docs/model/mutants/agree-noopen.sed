# Terms are taken without H(open, a).
# EXPECT G3=false G4=false
s/^fun H_cid(bitstring, hash): hash\./fun H_cid0(bitstring): hash. letfun H_cid(x: bitstring, o: hash) = H_cid0(x)./

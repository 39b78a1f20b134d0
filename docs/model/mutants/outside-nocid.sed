# r is not bound to its author.
# EXPECT U7=false
s/^fun X_seed(.*/fun X_seed0(key, hash, bitstring): key./
s/^fun X_seed0.*/& letfun X_seed(k: key, q: hash, a: hash, ct: bitstring) = X_seed0(k, q, ct)./

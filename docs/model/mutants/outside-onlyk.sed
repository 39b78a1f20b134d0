# An answer's box is sealed with the question's key alone.
# EXPECT U5=false
s/^fun X_answer(.*/fun X_answer0(key, hash, bitstring): key./
s/^fun X_answer0.*/& letfun X_answer(k: key, q: hash, ct: bitstring, ss: key) = X_answer0(k, q, ct)./

# The commitment to d is not bound to the core: another commit copies it, and lists Eve, who is handed d.
# EXPECT S4=false S5=false
s/^fun H_secret(.*/fun H_d(key): hash. letfun H_secret(l: hash, pos: bitstring, d: key) = H_d(d)./

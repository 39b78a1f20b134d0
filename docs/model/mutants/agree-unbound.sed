# Redundant here: the commitment to d is not bound to the core (commit.pv needs it).
# EXPECT
s/^fun H_secret(bitstring, key): hash\./fun H_d(key): hash. letfun H_secret(core: bitstring, d: key) = H_d(d)./

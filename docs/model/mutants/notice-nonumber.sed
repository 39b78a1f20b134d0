# A notice does not say which one it is: an old one is played back as a new one.
# EXPECT N3=false
s/sign(seed, (d, n, s))/sign(seed, (d, s))/
s/verify(sg, A, (d, n, s))/verify(sg, A, (d, s))/

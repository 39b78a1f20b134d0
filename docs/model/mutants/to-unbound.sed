# Nothing in the encapsulation, nor drawn from the seed, is bound to room, epoch, author and counter: a copy in another
# member's message is read as theirs.
# EXPECT W3=false
s/^fun Ctx(room, hash, pkey, nat): ctx\./const x0: ctx. letfun Ctx(r: room, E: hash, w: pkey, n: nat) = x0./

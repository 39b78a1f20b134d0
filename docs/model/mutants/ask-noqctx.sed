# Redundant: the context names nobody (the answer covers the question).
# EXPECT
s/^fun Qctx(.*/const q0: ctx. letfun Qctx(r: room, d: day, a: hash, p: hash, q: policy) = q0./

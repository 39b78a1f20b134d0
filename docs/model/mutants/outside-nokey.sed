# Nor to the key for its answers.
# EXPECT U8=false
s/^fun Octx(.*/fun Octx0(room, period, policy, hash): ctx./
s/^fun Octx0.*/& letfun Octx(r: room, d: period, p: policy, k: pkey, t: hash) = Octx0(r, d, p, t)./

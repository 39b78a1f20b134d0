# A question is not bound to its room.
# EXPECT U8=false
s/^fun Octx(.*/fun Octx0(period, policy, pkey, hash): ctx./
s/^fun Octx0.*/& letfun Octx(r: room, d: period, p: policy, k: pkey, t: hash) = Octx0(d, p, k, t)./

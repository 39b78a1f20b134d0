# Redundant: an honest W under another's identity counts as a member; ALPN is enough to keep the names apart.
# EXPECT
s/( in(c, r: room); insert/( in(c, (r: room, J: pkey)); insert member(r, J, pk(w)); insert/

# Redundant: W need only be in a contribution that is kept; ALPN is enough for the names.
# EXPECT
s/^let Borrower = .*/let Borrower = in(c, (r: room, J: pkey, W: pkey)); insert member(r, J, W)./

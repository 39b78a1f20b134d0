# W need only be in a contribution that is kept (anybody can sign one with a leaked identity), and there is no ALPN.
# EXPECT C4=false C5=false C6=false
s/^let Borrower = .*/let Borrower = in(c, (r: room, J: pkey, W: pkey)); insert member(r, J, W)./
s/^fun Alpn(room, pkey, pkey): hash \[data\]\./const none: hash./
s/Alpn(r, I, J)/none/
/(\*ALPN\*)$/d

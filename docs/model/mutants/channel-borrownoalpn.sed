# An honest W under another's identity counts as a member, and there is no ALPN: names are confused, contents are not.
# EXPECT C4=false C5=false C6=false
s/( in(c, r: room); insert/( in(c, (r: room, J: pkey)); insert member(r, J, pk(w)); insert/
s/^fun Alpn(room, pkey, pkey): hash \[data\]\./const none: hash./
s/Alpn(r, I, J)/none/
/(\*ALPN\*)$/d

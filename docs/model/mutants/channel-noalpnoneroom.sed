# There is no ALPN, but a process has a W for each room: membership is enough for the names both ends take, unless
# one's own W was stolen, too (which the queries are made to allow). C5 falls since an answerer knows no W yet.
# EXPECT C5=false
s/^fun Alpn(room, pkey, pkey): hash \[data\]\./const none: hash./
s/Alpn(r, I, J)/none/
/(\*ALPN\*)$/d
s/^let Process(I: pkey) =$/let Process(I: pkey) = in(c, r: room);/
s/( in(c, r: room); insert member/( insert member/
s/|| event(Bad(v))\./|| event(Bad(v)) || event(Bad(w))./

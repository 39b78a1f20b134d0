# There is no ALPN: the two may think of different rooms, where a process is in several with one W.
# EXPECT C4=false C5=false C6=false
s/^fun Alpn(room, pkey, pkey): hash \[data\]\./const none: hash./
s/Alpn(r, I, J)/none/
/(\*ALPN\*)$/d

# The one-time key of a handshake is never erased.
# EXPECT C7=false
s/^  out(c, (Alpn(r, I, J), kpub(e)));/  out(c, (Alpn(r, I, J), kpub(e))); ( ( phase 1; out(c, e) ) | (/
s/event DiallerTakes(r, I, pk(w), J, V, k) ) )\./event DiallerTakes(r, I, pk(w), J, V, k) ) ) ) )./

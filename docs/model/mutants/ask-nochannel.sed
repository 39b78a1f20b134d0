# There is no channel: whoever has a satisfying key, and any channel to A, answers in P's name.
# EXPECT A2=false
s/H_answer(body, exporter(k))/H_answer(body, k0)/
s/^const t_ask/free k0: key. &/
s/frame(k, t_ask, body)/body/
s/unframe(f, k, t_ask)/f/
s/unframe(f, k, t_prove)/f/
s/frame(k, t_prove, hmac(\(.*\)))\.$/hmac(\1)./

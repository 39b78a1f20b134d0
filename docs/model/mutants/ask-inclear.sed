# Redundant: the answer has the exporter, and travels outside the channel.
# EXPECT
s/unframe(f, k, t_prove)/f/
s/frame(k, t_prove, hmac(X_prove(s, x), (t_prove, H_answer(body, exporter(k)))))/hmac(X_prove(s, x), (t_prove, H_answer(body, exporter(k))))/

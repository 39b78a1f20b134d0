# Redundant: the answer has the exporter, and travels outside the channel.
# EXPECT
s/unframe(f, k, t_prove)/f/
s/frame(k, t_prove, hmac(\(.*\)))\.$/hmac(\1)./

# Redundant with ALPN: W may be any living member's, of the stream's peer or not.
# EXPECT
s/get member(=r, =J, V) in  */get member(=r, J2, V) in /
s/get member(=r, =J, =V) in/get member(=r, J2, =V) in/

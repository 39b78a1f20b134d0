# It is enough that a commit lists the W, be it a member's or not: whoever makes a commit that lists their own W gets
# the terms of all, without any attribute key.
# EXPECT K3=false
/(\*MEMBER\*)$/d

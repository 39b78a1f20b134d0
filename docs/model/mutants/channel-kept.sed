# W need only be in a contribution that is kept: whoever has a member's identity key reads what is sent to it. (ALPN
# still keeps others' W's from being borrowed.)
# EXPECT C3=false C4=false C5=false C6=false C7=false
s/^let Claim = .*/let Claim = in(c, (r: room, J: pkey, W: pkey)); insert member(r, J, W)./

# There is a confirmation tag, which E cannot cover: one E with two tags is good for one and bad for another.
# EXPECT G5=false
s/id3: pkey, W3: pkey, a3: key, ad3: bitstring, d: key)) \[precise\]/id3: pkey, W3: pkey, a3: key, ad3: bitstring, d: key, tag: hash)) [precise]/
s/^  event Accept(E, own, Extract.*/  if tag <> H_open(Extract(E, kabe, d)) then event Never(E, own) else\n&/

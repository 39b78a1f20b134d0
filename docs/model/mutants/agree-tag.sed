# There is a confirmation tag, which E cannot cover: one E with two tags is good for one and bad for another.
# EXPECT G5=false
s/d: key)) \[precise\];/d: key, tag: hash)) [precise];/
s/^  event Accept(E, own, Extract.*/  if tag <> H_open(Extract(E, kabe, d)) then event Never(E, own) else\n&/

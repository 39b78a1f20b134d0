# A change that does not give H(list) makes the commit bad for ever; who got the list whole accepts it.
# EXPECT G5=false
s/^  if H_list(e1, e2, third) = hl then /  if H_list(e1, e2, third) <> hl then event Never(E, own) else /

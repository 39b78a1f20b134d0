# Whoever has d answers whoever asks on the topic, listed or not.
# EXPECT S4=false S5=false
s/^\(| ( in(c, (x: pkey, o: opub, sg: bitstring));\) if x = u || x = v || x = w then/\1/

# There is no d: the key is made of terms alone, and whoever has those, as the authority does, reads everything.
# EXPECT S4=false S5=false
/(\*FRESH\*)$/d
s/^table member/free d: key. &/

# Keys and encapsulations have no days: a lapsed key opens.
# EXPECT Q5=false Q6=false Q8=false Q9=false Q10=false Q11=false
s/^fun abekey(policy, day): dkey \[private\]\.$/& const ever: day./
s/abekey(p,d)) = m\./abekey(p,ever)) = m./
s/abekey(p, d))/abekey(p, ever))/
s/abekey(q, d))/abekey(q, ever))/

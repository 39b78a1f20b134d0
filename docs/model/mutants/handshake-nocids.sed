# The MAC covers the role alone.
# EXPECT Q5=false Q6=false Q8=false Q9=false Q11=false
s/(N, cidS, cidN)/(N, N)/
s/(S, cidN, cidS)/(S, S)/

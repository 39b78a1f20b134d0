# The MAC lacks the prover's own cid.
# EXPECT Q5=false Q6=false Q8=false Q9=false Q11=false
s/(N, cidS, cidN)/(N, cidS)/
s/(S, cidN, cidS)/(S, cidN)/

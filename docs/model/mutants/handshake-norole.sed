# The MAC lacks the letter of the role: one side's message 3 serves as another session's message 4.
# EXPECT Q5=false Q6=false
s/(N, cidS, cidN)/(cidS, cidN)/
s/(S, cidN, cidS)/(cidN, cidS)/

# Redundant here: a question on the topic does not say, under the signature, which commit it is about.
# EXPECT
s/(lacks, H_commit(l, pos, h), o)/(lacks, o)/
s/(lacks, E, opk(o))/(lacks, opk(o))/

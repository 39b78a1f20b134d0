# Redundant: the answer lacks the exporter (it travels in the channel, and covers the question).
# EXPECT
s/H_answer(body, exporter(k))/H_answer(body, k0)/
s/^const t_ask/free k0: key. &/

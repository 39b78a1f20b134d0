# Neither the context nor the answer names the two, the question, or the channel: a bad P passes A's
# question on to another member, who can open it.
# EXPECT A4=false
s/^fun Qctx(.*/const q0: ctx. letfun Qctx(r: room, d: day, a: hash, p: hash, q: policy) = q0./
s/(t_prove, H_answer(body, exporter(k)))/(t_prove, t_prove)/

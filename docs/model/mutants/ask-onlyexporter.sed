# Redundant: neither context nor answer names anybody, but the answer has the exporter.
# EXPECT
s/^fun Qctx(.*/const q0: ctx. letfun Qctx(r: room, d: day, a: hash, p: hash, q: policy) = q0./
s/H_answer(body, exporter(k))/H_answer(t0, exporter(k))/
s/^const t_ask/const t0: bitstring. &/

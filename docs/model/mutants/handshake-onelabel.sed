# Attesting uses the labels of contributions.
# EXPECT Q5=false Q6=false Q8=false Q9=false Q11=false
s/^fun X_prove(seed, ctx): key\..*/letfun X_prove(s: seed, x: ctx) = X_proof(s, x)./
s/^fun H_answer.*/letfun qbind(x: ctx) = bind(x). letfun X_qcoins(s: seed, x: ctx) = X_coins(s, x)./
s/let x = Qctx(r, d, cidA, cidP, q) in/in(c, x: ctx);/
s/(t_prove, H_answer((x, enc), exporter))/exporter/

# Redundant here: neither what is drawn from the seed, nor the plaintext, is bound to the context.
# EXPECT
s/^fun X_term(seed, ctx): key\.$/fun X_term0(seed): key. letfun X_term(s: seed, x: ctx) = X_term0(s)./
s/^fun X_proof(seed, ctx): key\.$/fun X_proof0(seed): key. letfun X_proof(s: seed, x: ctx) = X_proof0(s)./
s/^fun X_coins(seed, ctx): coins\.$/fun X_coins0(seed): coins. letfun X_coins(s: seed, x: ctx) = X_coins0(s)./
s/^fun bind(ctx): bitstring\.$/const nothing: bitstring. letfun bind(x: ctx) = nothing./

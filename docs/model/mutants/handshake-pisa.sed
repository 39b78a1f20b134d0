# p is the term a: one label for both.
# EXPECT Q5=false Q6=false Q8=false Q9=false Q10=false Q11=false
s/^fun X_proof(seed, ctx): key\.$/letfun X_proof(s: seed, x: ctx) = X_term(s, x)./

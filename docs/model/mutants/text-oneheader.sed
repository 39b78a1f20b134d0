# There is one header key an epoch: a later theft shows authors and counters of all its messages.
# EXPECT T4=false
s/let h2 = X_window(h1) in/let h2 = h1 in/

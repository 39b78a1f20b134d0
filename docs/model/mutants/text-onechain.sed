# Header keys are drawn from the chain as it was when the window began, and that is kept to draw them from: it opens
# the texts since. (A header key drawn then and kept itself would do.)
# EXPECT T2=false
s/let h2 = X_window(h1) in/let h2 = c3 in/

# The epoch's secret is kept: a theft shows everything.
# EXPECT T1=false T2=false T4=false
s/out(c, (c4, h2, w))/out(c, (c4, h2, w, es))/

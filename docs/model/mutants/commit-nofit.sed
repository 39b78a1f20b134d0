# d is handed on without a look at whether it fits the commit at hand.
# EXPECT S4=false S5=false
/(\*FITS\*)$/d

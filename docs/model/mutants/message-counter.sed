# The body's counter is not compared with the header's.
# EXPECT M2=false M3=false
/(\*COUNTER\*)$/d

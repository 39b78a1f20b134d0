# The client's Finished is not looked at: another process of its identity puts its own certificate in its place.
# EXPECT C6=false
/(\*FINISHED\*)$/d

# Anybody makes notices.
# EXPECT N3=false
/(\*SIGNED\*)$/d

# The one-time key in a question on the topic is not signed by W.
# EXPECT S4=false S5=false
/(\*SIGNED\*)$/d

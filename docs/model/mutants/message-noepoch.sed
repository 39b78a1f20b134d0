# The signature does not cover the epoch.
# EXPECT M2=false M3=false
s/T_message, r, (E, cid, body)/T_message, r, (cid, body)/

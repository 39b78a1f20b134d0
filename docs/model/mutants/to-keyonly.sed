# Redundant here: the plaintext's binding and making again are left out; the key is bound.
# EXPECT
/(\*MADE AGAIN\*)$/d

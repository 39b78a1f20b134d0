# Whatever opens is a piece.
# EXPECT B7=false
/(\*HASH\*)$/d

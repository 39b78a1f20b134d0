# Whose the edit or the withdrawal is, is not compared.
# EXPECT B4=false B5=false
/(\*AUTHOR\*)$/d

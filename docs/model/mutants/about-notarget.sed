# What it is about is not compared.
# EXPECT B4=false B5=false
/(\*TARGET\*)$/d

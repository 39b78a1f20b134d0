# Answers go where everybody hears them: with a key one opens r, and reads what the asker was told.
# EXPECT U5=false U7=false
s/^free epoch: channel \[private\]\./free epoch: channel./

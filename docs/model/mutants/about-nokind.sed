# Any message about another is taken for an edit.
# EXPECT B4=false
s/if k = edit then .*(\*KIND\*)$//

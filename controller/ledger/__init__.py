"""Records to files and back, in a directory or on a git ref of their own."""

"""A commit or a working tree to files."""

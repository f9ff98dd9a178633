"""A repository that is followed, to passes at the right moments, for months."""

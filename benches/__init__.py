"""A case and a size to what Gitune and its peers spend on it: ``python -m benches``."""

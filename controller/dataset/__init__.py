"""Bytes of a dataset file to examples, problems and a digest. Pure."""

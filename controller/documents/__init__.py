"""YAML 1.2 text to values that remember their place, and values to text. The only importer of a YAML library."""

"""Code hosts, one folder each: their APIs, and the events they start us with."""

"""Files to valid specs and settings, every problem with its place. Pure."""

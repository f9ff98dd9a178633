"""Commands and their output: what people type, and what they read."""

"""The code host: its API, and the events it starts us with."""

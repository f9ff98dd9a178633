"""The embedded tuning API: a server that really trains. It shares nothing with the client."""

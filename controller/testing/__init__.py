"""In-memory ports and contract checks, shipped for those who write a provider."""

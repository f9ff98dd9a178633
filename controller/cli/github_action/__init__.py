"""A workflow's environment to what the GitHub Action does in it."""

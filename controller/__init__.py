"""Gitune: tuned language models, declared in git and kept in agreement with a provider."""

__version__ = "0.1.0"

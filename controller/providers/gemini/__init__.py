"""Gemini: the tuning API of the Gemini Developer API, and whatever speaks like it."""

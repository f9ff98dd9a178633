"""Tuning APIs behind one port: models in, models out."""

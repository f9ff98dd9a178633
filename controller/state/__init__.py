"""Desired, recorded and observed: frozen values, and the identities that tie them together."""

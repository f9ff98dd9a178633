"""Desired, recorded and observed state to a plan, and outcomes back to a record. Pure: no I/O, no clock, no logger."""

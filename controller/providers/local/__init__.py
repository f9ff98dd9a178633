"""Local: the embedded tuning API on this machine, found running or started."""

"""Where the training processes live, a module each."""

"""`models/tiny`: a small transformer over bytes, trained from nothing in every run."""

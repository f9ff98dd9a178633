"""Data outside the commit to bytes kept on this machine, by their digest: a dataset's uri, or a Git LFS pointer."""

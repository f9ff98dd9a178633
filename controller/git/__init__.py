"""Git plumbing on repositories of our own: the only importer of git, and the only caller of its command."""

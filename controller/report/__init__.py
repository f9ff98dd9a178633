"""Plans, records and runs to text, Markdown and pictures. Pure."""

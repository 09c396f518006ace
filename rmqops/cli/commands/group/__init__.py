"""See who consumes what, and how far behind."""

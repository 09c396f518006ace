"""What was seen while a drill ran: written, read, and as tables for the checks."""

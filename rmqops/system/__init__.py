"""This machine: whole files, locks, many things at once, and waiting with a deadline."""

"""Hosts, and commands on many of them at once."""

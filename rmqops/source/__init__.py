"""Fetch, verify and build a release; one artifact named by its content."""

"""Run commands and move files on a host: local, and a public fake for tests."""

"""One module a command. A module added here is a command; see ``rmqops.cli.app``."""

"""The command line: one file a command in ``commands/``; all rich code in ``output``; no logic."""

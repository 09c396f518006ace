"""Run the command line as ``python -m rmqops``."""

from rmqops.cli.app import main

main()

"""The command line's process: ``rmqops``, and ``python -m rmqops``."""

import os
import signal
from types import FrameType
from typing import NoReturn


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, b"interrupted\n")
    os._exit(130)


def main() -> NoReturn:
    """Load the command line and run it. Ctrl-C while it is loaded ends the process: nothing has begun yet."""
    loading = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if loading:
        signal.signal(signal.SIGINT, _leave)
    from rmqops.cli import standard_streams

    standard_streams.prepare()
    from rmqops.cli import app

    if loading:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    app.main()


if __name__ == "__main__":
    main()

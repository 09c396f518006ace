"""The ``rmqops`` command: finds its subcommands lazily, so that each one starts fast.

A module in ``rmqops/cli/commands`` is a command of the same name (``_`` becomes ``-``); it holds either a
function ``command`` (and a class ``parser`` where its command line is read in a way of its own) or, for a command
with subcommands, a package whose modules are the subcommands.
"""

from __future__ import annotations

import errno
import importlib
import io
import pkgutil
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from rmqops import __version__
from rmqops.cli import output
from rmqops.errors import EXIT_INTERRUPTED, OperationFailed, RmqopsError
from rmqops.system.interruption import is_interruption

COMMANDS = "rmqops.cli.commands"

_SHORT: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EFBIG,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}
"""What a write or an open says that names no file: the machine is short of something."""


class LazyGroup(TyperGroup):
    """A group whose commands are the modules of a package, imported when they are asked for."""

    package = COMMANDS

    def list_commands(self, ctx: object) -> list[str]:
        """Name every command."""
        module = importlib.import_module(self.package)
        return sorted(found.name.replace("_", "-") for found in pkgutil.iter_modules(module.__path__))

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """Import the module of one command and build it."""
        if cmd_name not in self.list_commands(ctx):
            return None
        qualified = f"{self.package}.{cmd_name.replace('-', '_')}"
        module = importlib.import_module(qualified)
        if hasattr(module, "__path__"):
            group = type("SubGroup", (LazyGroup,), {"package": qualified})
            app = typer.Typer(cls=group, help=module.__doc__, no_args_is_help=True)
            app.callback()(lambda: None)
        else:
            function: Callable[..., Any] = module.command
            app = typer.Typer(add_completion=False)
            parser: type[TyperCommand] = getattr(module, "parser", TyperCommand)
            app.command(name=cmd_name, help=function.__doc__, cls=parser)(function)
        built: TyperCommand | TyperGroup = get_command(app)  # type: ignore[assignment]
        built.name = cmd_name
        return built


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        output.result(f"rmqops {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Build, deploy, run and chaos-test Apache RocketMQ 4.4 and 4.5 clusters."""


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Where standard output takes no more the answer is lost, and that is an error. Where its reader has gone the
    rest is not wanted, and the exit code is the command's own, as ``rmqops status | grep -q healthy`` needs it.
    """
    code = _run(arguments)
    try:
        output.result()  # what typer has printed by itself may be on its way still
    except RmqopsError as error:
        if not code:
            output.error(error)
        return code or error.exit_code
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app(args=arguments, standalone_mode=False)
    except RmqopsError as error:
        output.error(error)
        return error.exit_code
    except output.ReaderGone:
        return 0
    except typer.TyperException as error:
        said = io.StringIO()
        error.show(said)  # type: ignore[attr-defined]
        output.note(said.getvalue().rstrip("\n"))
        return int(error.exit_code)
    except OSError as error:
        # What this machine refuses, where nothing better was made of it: a file that may not be read, a full disk.
        if error.filename is None and error.errno not in _SHORT:
            raise
        what = f"{error.filename}: {error.strerror}" if error.filename else f"this machine: {error.strerror}"
        failed = OperationFailed(what, remedy="see to that, and give the same command again")
        output.error(failed)
        return failed.exit_code
    except BaseException as error:
        # Typer makes Ctrl-C in a command this code by itself; not while it reads the command line, nor where a
        # coroutine was cancelled by it.
        if not isinstance(error, typer.Abort) and not is_interruption(error):
            raise
        output.note("interrupted")
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else 0


def main() -> NoReturn:
    """Run the command line of this process; SIGTERM is treated as Ctrl-C, so that clean-up runs."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run())

"""The command line: parse, call, show.

Exit status 0 done, 1 a fault of ours or the system's, 2 wrong input, 3 the result is withheld, 4 done, but standard output is
closed or full, 130 interrupted, 143 ended by SIGTERM, 129 by SIGHUP.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import rich_click as click

from cryodedup import _core
from cryodedup.cli.console import complain
from cryodedup.errors import USERS_FAULT, InputError
from cryodedup.formats.image_names import is_image
from cryodedup.names import as_options
from cryodedup.system import signals
from cryodedup.system.resources import memory_available, tell_core

COMMANDS = "particles", "micrographs", "watch", "apply", "slurm", "demo", "completion"


class Commands(click.RichGroup):
    """Commands, each imported when it is called. If a file is given in place of a command, the error names the command that takes it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a name, if there is one."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"cryodedup.cli.{name}"), name)
        _core.load_numpy()
        tell_core()
        signals.unwind()  # before this, an exception would be taken for a broken installation
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            path = Path(args[0])
            if not (path.exists() or path.suffix):
                near = get_close_matches(args[0], COMMANDS, n=1)
                also = f"did you mean: cryodedup {near[0]}" if near else f"expected one of {', '.join(COMMANDS)}"
                raise click.UsageError(f"{args[0]}: no such command; {also}") from None
            takes_images = path.is_dir() or is_image(path) or "micrographs" in path.name or "exposures" in path.name
            command = "micrographs" if takes_images else "particles"
            raise click.UsageError(f"{args[0]}: found a file in place of a command; did you mean: cryodedup {command} {args[0]}") from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_core.__version__, prog_name="cryodedup")
def cli() -> None:
    """Find duplicate particles and duplicate micrographs in cryo-EM data, in RELION and CryoSPARC files."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, and returns its exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        status = cli.main(words, prog_name="cryodedup", standalone_mode=False, obj=shlex.join(["cryodedup", *words]))
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 and later; earlier ones show the help themselves
            error.show()
            return 2
        return _fail(error.format_message(), 2)
    except InputError as error:
        return _fail(error.spelled(as_options), 2)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", 130)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "start new thread" not in str(error):
            raise
        available = memory_available()
        found = "" if available is None else f", found {available}"
        return _fail(f"not enough memory for the next step{found}; use a machine with more memory, fewer files or fewer --threads", 1)
    except OSError as error:
        which = f"{error.filename}: " if error.filename is not None else ""
        return _fail(f"{which}{error.strerror or error}", 2 if error.errno in USERS_FAULT else 1)


def shows_only() -> bool:
    """Whether the command line asks for help or the version: nothing is done then."""
    return not {"--help", "-h", "--version"}.isdisjoint(sys.argv)


def _fail(text: str, status: int) -> int:
    complain(text)
    return status

"""``cryodedup completion``: what a shell needs to complete words, and the manual pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, get_args

import rich_click as click

from cryodedup._core import __version__
from cryodedup.cli.console import say
from cryodedup.errors import InputError, naming

Kind = Literal["bash", "zsh", "fish", "man"]
_HINTS = {
    "bash": "bash reads it if bash-completion is installed; otherwise add to ~/.bashrc: source {path}",
    "zsh": "zsh reads it if ~/.zfunc is in fpath: in ~/.zshrc, before compinit: fpath+=~/.zfunc",
    "man": "man finds it if ~/.local/bin is in PATH, or if the directory is in MANPATH",
}


@click.command(no_args_is_help=True)
@click.argument("kind", type=click.Choice(get_args(Kind)), metavar="bash|zsh|fish|man")
@click.option("--install", is_flag=True, help="Install the output in your home directory, where the shell or man finds it.")
@click.pass_context
def completion(ctx: click.Context, /, kind: Kind, install: bool) -> None:
    """Print the completion script for a shell, or the manual pages.

    Example: cryodedup completion bash --install
    """
    root = ctx.find_root()
    pages = manual(root) if kind == "man" else {_name_of(kind): _script(root.command, kind)}
    if not install:
        for text in pages.values():
            say(*text.splitlines())
        return
    folder = _folder_of(kind)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        path = folder / name
        with naming(path):
            path.write_text(text, "utf-8")
        say(f"written: {path}")
    if kind in _HINTS:
        say(_HINTS[kind].format(path=path))


def _script(command: click.Command, shell: str) -> str:
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise InputError(kind="parameter", field="completion", found=shell, expected="bash, zsh or fish")
    # Not source(), which asks for the version of bash by running it.
    made = found(command, {}, "cryodedup", "_CRYODEDUP_COMPLETE")
    return str(made.source_template % made.source_vars())


def _name_of(shell: str) -> str:
    return {"bash": "cryodedup", "zsh": "_cryodedup", "fish": "cryodedup.fish"}[shell]


def _folder_of(kind: Kind) -> Path:
    """Where the shell looks in the home directory."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return {
        "bash": data / "bash-completion/completions",
        "zsh": Path.home() / ".zfunc",
        "fish": config / "fish/completions",
        "man": data / "man/man1",
    }[kind]


def manual(root: click.Context) -> dict[str, str]:
    """The manual pages of a command and those below it, by file name, in roff."""
    return {f"{context.command_path.replace(' ', '-')}.1": _page(context) for context in _contexts(root)}


def _contexts(context: click.Context) -> Iterator[click.Context]:
    """Yields contexts for a command and its subcommands, without invoking them."""
    yield context
    command = context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _contexts(type(context)(below, info_name=name, parent=context))


def _page(context: click.Context) -> str:
    command, name = context.command, context.command_path.replace(" ", "-")
    usage = " ".join(command.collect_usage_pieces(context))
    help_text = (command.help or "").strip()
    summary, _, _ = help_text.partition("\n")
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    lines = [f'.TH "{name.upper()}" "1" "{date}" "cryodedup {__version__}" "cryodedup"', ".SH NAME", f"{name} \\- {_roff(summary)}"]
    lines += [
        ".SH SYNOPSIS",
        f".B {_roff(context.command_path)}",
        _roff(usage),
        ".SH DESCRIPTION",
        *_paragraphs(help_text),
    ]
    params = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    options = [record for param in params if (record := param.get_help_record(context)) is not None]
    if options:
        lines.append(".SH OPTIONS")
        for words, text in options:
            lines += [".TP", f"\\fB{_roff(words)}\\fR", _roff(" ".join(text.split()))]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            lines += [".TP", f"\\fB{_roff(name)}-{_roff(below)}\\fR(1)", _roff(found.get_short_help_str(200) if found else "")]
    lines += [
        ".SH EXIT STATUS",
        "0: done; 1: an error of the program or the system; 2: wrong input; 3: done, but the result is withheld; 4: done, but standard"
        " output is closed or full; 130, 143, 129: ended by Ctrl\\-C, SIGTERM, SIGHUP.",
    ]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield ".PP"
        yield _roff(" ".join(paragraph.split()))


def _roff(text: str) -> str:
    """With what roff takes for its own made safe."""
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe

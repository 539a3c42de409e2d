"""docs/messages.md quotes what the program says: each message there is still in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from cryodedup import InputError
from cryodedup.cli import cli
from cryodedup.names import as_options, named

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "cryodedup"
PAGE = ROOT / "docs" / "messages.md"
TEXTS = ("field", "found", "expected", "reason", "remedy")
GAP = "…"
"""Stands for a name or a number on the page, and for what is filled in in the code."""


def quoted() -> list[str]:
    """The messages of the page: the first cell of each row, if it is quoted."""
    return re.findall(r"^\| `(.+?)` \| ", PAGE.read_text("utf-8"), re.MULTILINE)


def texts(path: Path) -> Iterator[str]:
    """Texts in a module as the command line shows them, those of errors made of their parts; what is filled into them is a gap."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr | ast.Constant):
            yield as_options(text_of(node))
        elif isinstance(node, ast.Call) and {part.arg for part in node.keywords} & {"found", "expected", "reason"}:
            yield sentence(node)


def text_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "named":
        return named(*map(text_of, node.args)) if isinstance(node.args[0], ast.Constant) else GAP
    return GAP


def sentence(call: ast.Call) -> str:
    parts = {str(part.arg): text_of(part.value) for part in call.keywords if part.arg in {*TEXTS, "path", "line"}}
    line = ", line " + parts.pop("line") if "line" in parts else ""
    place = {} if parts.get("field") and "path" not in parts else {"path": parts.get("path", GAP) + line}
    return InputError(**{**parts, **place, "kind": "missing"}).spelled(as_options)


@pytest.fixture(scope="module")
def said() -> list[str]:
    return [text for path in sorted((ROOT / "python" / "cryodedup").rglob("*.py")) for text in texts(path)]


@pytest.mark.parametrize("message", quoted())
def test_the_program_says_this(message: str, said: list[str]) -> None:
    parts = message.split(GAP)
    assert max(len(part.split()) for part in parts) >= 3, "too little to search for"
    assert any(in_order(parts, text) for text in said), message


def in_order(parts: Sequence[str], text: str) -> bool:
    """Whether a text has all parts, one behind the other."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def options(command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        below = (command.get_command(context, name) for name in command.list_commands(context))
        yield from (option for one in below if one is not None for option in options(one))
    yield from (option for param in command.params for option in param.opts if option.startswith("--"))


def test_texts_mark_parameters_and_do_not_spell_options() -> None:
    known = set(options(cli))
    assert {"--pixel-size", "--sensitivity", "--output", "--stage"} <= known
    spelled = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in ("cli", "slurm", "names.py"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                spelled += [(path.name, node.lineno, found) for found in re.findall(r"--[a-z][a-z-]*", node.value) if found in known]
    assert not spelled


def test_there_are_many() -> None:
    assert len(quoted()) == len(set(quoted())) >= 40

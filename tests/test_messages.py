"""docs/messages.md quotes what the program says: each message there is still in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "messages.md"
GAP = "…"
"""Stands for a name or a number on the page, and for what is filled in in the code."""


def quoted() -> list[str]:
    """The messages of the page: the first cell of each row, if it is quoted."""
    return re.findall(r"^\| `(.+?)` \| ", PAGE.read_text("utf-8"), re.MULTILINE)


def texts(path: Path) -> Iterator[str]:
    """Texts in a module; what is filled into them is a gap."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def said() -> list[str]:
    return [text for path in sorted((ROOT / "python" / "cryodedup").rglob("*.py")) for text in texts(path)]


@pytest.mark.parametrize("message", quoted())
def test_the_program_says_this(message: str, said: list[str]) -> None:
    parts = [re.escape(part) for part in message.split(GAP)]
    assert max(len(part.split()) for part in message.split(GAP)) >= 3, "too little to search for"
    expected = re.compile(".*".join(parts), re.DOTALL)
    assert any(expected.search(text) for text in said), message


def test_there_are_many() -> None:
    assert len(quoted()) == len(set(quoted())) >= 40

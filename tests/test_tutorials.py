"""Start and tutorials: every command runs, in order, in an empty directory, and prints what the page shows.

A comment before a block says what a reader sees from the words around it: ``<!-- exit 2 -->``, the status with which it has to end;
``<!-- not run -->``, it needs what a test does not have. Of the printed lines a page may leave some out; those it shows come in this order.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import cryodedup
from cryodedup.demo import make_micrographs, make_refined, make_session

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = [DOCS / "index.md", *sorted((DOCS / "tutorials").glob("*.md"))]
BLOCK = re.compile(r"^(?:<!-- (exit (?P<status>\d+)|not run.*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """Commands, how they end, and lines that they print."""

    commands: str
    status: int
    shown: list[str]


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that run, each with the printed lines that follow it."""
    found = list(BLOCK.finditer(page.read_text("utf-8")))
    for i, block in enumerate(found):
        if block["kind"] != "sh" or (block[1] or "").startswith("not run"):
            continue
        after = found[i + 1] if i + 1 < len(found) and found[i + 1]["kind"] == "text" else None
        shown = [line for line in after["text"].splitlines() if line.strip() and line.strip() != "..."] if after else []
        yield Block(block["text"], int(block["status"] or 0), shown)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``cryodedup demo`` simulates."""
    session = tmp_path_factory.mktemp("tutorials") / "session"
    make_session(session)
    make_refined(make_micrographs(session))
    return session


@pytest.fixture(scope="module")
def environment(session: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """That of a reader: ``cryodedup`` and ``python`` are in the PATH; the demo is copied, not made again for each page."""
    programs = tmp_path_factory.mktemp("bin")
    python = shlex.quote(sys.executable)
    demo = f'if [ "$1" = demo ]; then mkdir demo && cp -R {shlex.quote(str(session))} demo/session; exit; fi'
    for name, line in {"cryodedup": f'{demo}\nexec {python} -m cryodedup "$@"', "python": f'exec {python} "$@"'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    package = Path(cryodedup.__file__).parents[1]  # where it is tested without being installed
    found = {name: value for name, value in os.environ.items() if name != "LC_ALL"}
    return found | {"PATH": f"{programs}{os.pathsep}{found['PATH']}", "PYTHONPATH": str(package), "LC_COLLATE": "C"}  # the order of `ls`


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_newcomer_can_do_it(page: Path, environment: dict[str, str], tmp_path: Path) -> None:
    for block in blocks(page):
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.commands],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        assert ran.returncode == block.status, f"{block.commands}\n{ran.stdout}"
        printed = iter(ran.stdout.splitlines())
        missing = [line for line in block.shown if line not in printed]  # takes lines from it, so the order counts
        assert not missing, f"{block.commands}\nprinted no line (here) {missing[0]!r}, but\n{ran.stdout}"

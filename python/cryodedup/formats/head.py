"""The first line of a table of text, which names its columns."""

from __future__ import annotations

from pathlib import Path


def head_of(path: Path) -> tuple[int, int, str]:
    """Where the rows of a table begin, the line of its head, and that: the first line that is neither empty nor a comment."""
    start, line, head = 0, 0, b""
    with path.open("rb") as file:
        for head in file:
            start, line = start + len(head), line + 1
            if head.strip() and not head.startswith(b"#"):
                break
    return start, line, head.decode("utf-8-sig", "replace")

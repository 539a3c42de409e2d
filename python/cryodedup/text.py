"""Words for people, and names in texts: every byte of a name can be found again, and none of them acts on a terminal or a spreadsheet."""

from __future__ import annotations

import re

_LONG, _LONG_MESSAGE = 200, 2000
_LONG_WORDS = re.compile(r"\S{1000,}")
_MARK = "\N{REPLACEMENT CHARACTER}"
"""Stands in front of a byte in two hexadecimal digits."""
_BYTES = re.compile(f"(?:{_MARK}[0-9A-F]{{2}})+")
_FORMULA = re.compile(r"'*[=+\-@]")
"""Begins a cell that a spreadsheet would run, or one that :func:`cell_of` has put an apostrophe before."""


def count(n: int, noun: str) -> str:
    """A number of things: "1 pair", "1,000 pairs"."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def brief(text: str, longest: int = _LONG) -> str:
    """Short enough for a message: of a long text, as damaged files hold them, the beginning and the end."""
    return text if len(text) <= longest else f"{text[: longest // 2]}...{text[-longest // 4 :]}"


def brief_message(text: str) -> str:
    """A message with the beginnings and ends of what it quotes from a damaged file; paths, which are shorter, stay whole."""
    return brief(_LONG_WORDS.sub(lambda found: brief(found[0]), text), _LONG_MESSAGE)


def shown(text: str) -> str:
    """Fit for a terminal or a page: characters that would act there are written as U+FFFD and each byte."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _bytes_of(char) for char in text)


def printable(name: str) -> str:
    r"""Without the stand-ins for bytes that are not UTF-8: each is written as U+FFFD and two hexadecimal digits.

    :func:`original` finds the name again: where the name itself has this character, its bytes are written in the same way.

    >>> printable("caf\udce9.mrc")
    'caf�E9.mrc'
    """
    if name.isascii():
        return name
    return "".join(_bytes_of(char) if char == _MARK or "\ud800" <= char <= "\udfff" else char for char in name)


def original(text: str) -> str:
    r"""The name that :func:`printable` or :func:`cell_of` has written.

    >>> original(printable("caf\udce9.mrc")) == "caf\udce9.mrc"
    True
    """
    return _BYTES.sub(lambda found: bytes.fromhex(found[0].replace(_MARK, "")).decode("utf-8", "surrogateescape"), text)


def cell_of(name: str) -> str:
    """A name as a cell of a CSV file: without characters that act, and behind an apostrophe if a spreadsheet would take it for a formula.

    >>> cell_of("=1+1.mrc"), cell_of("a-1.mrc")
    ("'=1+1.mrc", 'a-1.mrc')
    """
    text = shown(printable(name))
    return f"'{text}" if _FORMULA.match(text) else text


def name_in(cell: str) -> str:
    """The name that :func:`cell_of` has written.

    >>> name_in("'=1+1.mrc"), name_in("'a'.mrc")
    ('=1+1.mrc', "'a'.mrc")
    """
    return original(cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell)


def _bytes_of(char: str) -> str:
    errors = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"
    return "".join(f"{_MARK}{byte:02X}" for byte in char.encode("utf-8", errors))

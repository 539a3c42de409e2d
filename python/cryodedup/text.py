"""Words for people."""

from __future__ import annotations


def count(n: int, noun: str) -> str:
    """A number of things: "1 pair", "1,000 pairs"."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def shown(text: str) -> str:
    """Fit for a terminal or a page: characters that would act there are boxes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in printable(text))


def printable(name: str) -> str:
    """Without the stand-ins for bytes that are not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

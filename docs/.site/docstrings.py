"""How the site reads docstrings (mkdocs.yml, ``extensions`` of mkdocstrings): roles of Sphinx are code, what is returned is text."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?(?:[\w.]+\.)?(\w+)`")
RETURNED = re.compile(r"(?<=\nReturns\n-------\n)(\S.*(?:\n\S.*)*)")


def plain(docstring: str, annotation: str) -> str:
    """A docstring without roles; the text about what is returned stands below its type."""

    def below(found: re.Match[str]) -> str:
        text = " ".join(found[1].splitlines()).removeprefix(f"`{annotation}`: ")
        return f"{annotation}\n    {text[0].upper()}{text[1:]}"

    docstring = ROLE.sub(r"`\1`", docstring)
    return RETURNED.sub(below, docstring) if annotation else docstring


class Docstrings(griffe.Extension):
    """Changes each docstring when it is collected."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = plain(obj.docstring.value, str(getattr(obj, "returns", None) or ""))

"""Makes an HTML page: template, style, script and figures in one file."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryodedup import _core
from cryodedup.errors import naming
from cryodedup.names import Spell, as_parameters
from cryodedup.output_directory import FIGURES, PAGE
from cryodedup.report.figure import TEMPLATES, Figure, file_style, within_class
from cryodedup.report.svg import Svg, joined
from cryodedup.text import shown


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a result comes from; empty: not known, as of a page that is made in Python.

    Attributes
    ----------
    command
        The command line.
    made, host, directory
        The local time, the name of the machine, and the directory of the results.
    outputs
        Names of the files in this directory.
    notes
        Notes from writing them.
    all_kept
        What to do with all kept rows, if they are in several files, or ``merged`` into one beside these.
    spell
        How texts of the page name parameters.
    """

    command: str = ""
    made: str = ""
    host: str = ""
    directory: str = ""
    outputs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    all_kept: str = ""
    merged: bool = False
    spell: Spell = as_parameters

    @classmethod
    def now(cls, command: str | None, directory: Path, outputs: Sequence[str], notes: Sequence[str] = ()) -> Origin:
        """Describes a result that is being written."""
        made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()
        return cls(
            command=command or "",
            made=made,
            host=socket.gethostname(),
            directory=str(directory.absolute()),
            outputs=tuple(outputs),
            notes=tuple(notes),
        )

    def line(self) -> str:
        """In one line."""
        parts = [self.made, f"cryodedup {_core.__version__}", f"on {self.host}" if self.host else "", self.directory]
        return " · ".join(filter(None, parts))

    def ending(self, *ends: str) -> list[str]:
        """The outputs whose names end like this."""
        return [name for name in self.outputs if name.endswith(ends)]


OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
SCRIPTS = [f"script/{name}.js" for name in ("base", "picks", "tables", "charts", "places", "pairs")]
"""The parts of the pages' script; the first defines what the others use."""
MAX_BYTES = 4_000_000
"""The size that figures, the long table and the pictures of a page may have: with all else it stays below 5 MB."""


@dataclass(frozen=True)
class Page:
    """A page, and its figures as separate SVG files, by stem."""

    html: str
    figures: dict[str, str]

    def write(self, directory: Path) -> None:
        """Writes ``report.html`` and ``figures/``."""
        (directory / FIGURES).mkdir(parents=True, exist_ok=True)
        for stem, svg in self.figures.items():
            _write(directory / FIGURES / f"{stem}.svg", svg)
        _write(directory / PAGE, self.html)


def _write(path: Path, text: str) -> None:
    with naming(path):
        path.write_text(text, "utf-8")


def write_page(make: Callable[[], Page], directory: Path) -> list[str]:
    """Writes a page beside the results, and returns warnings. If making it fails, the results are kept without the page.

    Raises
    ------
    OSError
        The disk is full or broken, which would affect the results, too.
    """
    try:
        make().write(directory)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise
        (directory / PAGE).unlink(missing_ok=True)
        shutil.rmtree(directory / FIGURES, ignore_errors=True)
        return [f"no page was written: {type(error).__name__}: {error}; please report this"]
    return []


def page(template: str, figures: Sequence[Figure], origin: Origin, **context: Any) -> Page:
    """Fills a template; all values are escaped. The template gets ``figures`` by name; each is also returned as a separate file."""
    drawn = {figure.name: figure for figure in figures}
    given = {"figures": drawn, "origin": origin, "files": _files(origin), "version": _core.__version__, **context}
    script, style = "".join(map(_text, SCRIPTS)), _text("figure.css") + _text("page.css")
    html = _environment(origin.spell).get_template(template).render(style=style, script=script, script_hash=_hash_of(script), **given)
    style = file_style()
    return Page(_with_contents(html), {name: figure.file(style) for name, figure in drawn.items()})


def _hash_of(script: str) -> str:
    """Returns what a page allows as its only script: by its hash, not a nonce, since a file is written once and read many times."""
    return f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def room(figures: Sequence[Figure], data: str) -> int:
    """How many bytes of pictures a page may have beside its figures and the data of its long table."""
    return max(0, MAX_BYTES - len(data) - sum(len(panel.body) for figure in figures for panel in figure.panels))


def _files(origin: Origin) -> list[tuple[str, str]]:
    """Addresses and names of the files beside the page; of a folder its own."""
    names = dict.fromkeys(f"{name.partition('/')[0]}/" if "/" in name else name for name in origin.outputs)
    return [(f"./{quote(os.fsencode(name))}", name) for name in names]


def _with_contents(html: str) -> str:
    """The page with a bar of links to its sections: only templates write headings with an id, values are escaped."""
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title in re.findall(r'<h2 id="([\w-]+)">([^<]*)</h2>', html))
    return html.replace("<!-- contents -->", links, 1)


def fragment(template: str, **context: Any) -> str:
    """A piece of HTML for another page, as that of a notebook; all values are escaped.

    Letters and axes of its figures have the colour of the text around them, which a dark theme makes light; the other colours are visible
    on a dark and on a white page. Its rules apply within the class ``cryodedup`` only.
    """
    style = within_class(file_style(text="currentColor", dim="currentColor"))
    filled: str = _environment(as_parameters).get_template(template).render(style=style, **context)
    return filled


@cache
def _environment(spell: Spell) -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["text"] = lambda value: shown(spell(str(value)))
    environment.filters["unbroken"] = lambda value: re.sub(r"(?<=\d) (?=[Å%])", "\u00a0", shown(spell(str(value))))
    environment.filters["panels"] = _panels
    return environment


def _panels(figure: Figure) -> Svg:
    """The drawings of a figure as markup; their texts were escaped when they were drawn."""
    return joined(panel.inline() for panel in figure.panels)


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")

"""What both pages have in common: the template engine, and figures in one style."""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from cryodedup.text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIRST, SECOND, MARK, GREY = "#3d8fd9", "#e8832a", "#d6336c", "#7b828c"
"""Colours that stand out from a dark page as well as from a white one."""
_STYLE: Any = {
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": 9,
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.transparent": True,
    "savefig.dpi": 150,
}


@dataclass(frozen=True)
class Picture:
    """A figure in the page: what it shows in words, its bytes as an address, and its width in inches, so that letters are of one size."""

    alt: str
    source: str
    width: float


class Figures:
    """Makes figures, and keeps each as PNG in a directory, too."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def new(self, width: float = 5.2, height: float = 3.0, **grid: Any) -> tuple[Figure, Any]:
        """A figure of so many inches, and its axes."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as New

        figure = New(figsize=(width, height))
        FigureCanvasAgg(figure)
        return figure, figure.subplots(**grid)

    def keep(self, name: str, figure: Figure, alt: str) -> Picture:
        """Writes ``<name>.png``."""
        image = BytesIO()
        figure.savefig(image, format="png")
        (self.directory / f"{name}.png").write_bytes(image.getvalue())
        return Picture(alt, data_address(image.getvalue(), "png"), figure.get_figwidth())


_STYLING = Lock()


@contextmanager
def styled() -> Iterator[None]:
    """While figures are made and written, by one thread at a time: style and warnings are the whole process's.

    Nothing of the user's own style is used. Letters that the font has not are boxes, and no matter for a warning.
    """
    import matplotlib as mpl

    with _STYLING, mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mpl.rcParams.update({key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith("backend")})
        mpl.rcParams.update(_STYLE)
        yield


def plain(name: str, most: int = 28) -> str:
    """A name for a figure: not too long, and nothing in it taken for a formula."""
    short = name if len(name) <= most else f"{name[: most // 2]}…{name[-(most // 2 - 1) :]}"
    return shown(short).replace("$", r"\$")


def data_address(image: bytes, kind: str) -> str:
    """Bytes of an image as an address that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def shades() -> Any:
    """Colours for numbers, none as dark as a dark page or as light as a white one."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    return ListedColormap(mpl.colormaps["viridis"](np.linspace(0.3, 0.8, 256)))


def line(axes: Axes, at: float, label: str, colour: str = MARK, style: str = "--") -> None:
    """A vertical line with a label in the legend."""
    axes.axvline(at, color=colour, linestyle=style, linewidth=1.2, label=label)


def legend(axes: Axes) -> None:
    """What is what, above the figure, where it covers nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, borderaxespad=0.2, handlelength=1.6, columnspacing=1.4)


def render(template: str, **context: Any) -> str:
    """The text of a page; everything put in is escaped."""
    import jinja2

    here = Path(__file__).parent / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["text"] = lambda value: shown(str(value))
    environment.filters["unbroken"] = lambda value: re.sub(r"(?<=\d) (?=[Å%])", "\u00a0", shown(str(value)))
    style, script = ((here / name).read_text("utf-8") for name in ("page.css", "page.js"))
    return environment.get_template(template).render(style=style, script=script, **context)

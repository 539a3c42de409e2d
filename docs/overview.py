"""Draws docs/overview.svg, the picture of the README, from the sessions that `cryodedup demo` makes: `python docs/overview.py`.

Left: a part of one micrograph, with the picks of three pickers. Middle: the same part, with the particles that stay. Right: two
micrographs of one hole, the second moved by the shift that was measured; circles are the refined particles of each. All places and
numbers are those of the results. The ground is white in dark pages, too: a picture in Markdown does not see the theme of its page.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cryodedup import MicrographParams, MicrographResult, ParticleParams, ParticleResult, deduplicate_particles, find_duplicate_micrographs
from cryodedup.demo import make_micrographs, make_refined, make_session

PICTURE = Path(__file__).with_name("overview.svg")
SEPARATION_A = 70.0
WINDOW_A = np.array([[300.0, 300.0], [1700.0, 1700.0]])
"""The part of the micrograph that is shown: corner, and opposite corner."""
SIDE = 250
"""Of a panel, in units of the picture."""
RADIUS_A = 35.0
"""Of a circle: two that touch are at the separation."""
COLOURS = {"RELION": "#0072b2", "Topaz": "#d55e00", "CryoSPARC": "#009e73"}
"""Three that are told apart with colour-blind eyes, too (Okabe and Ito)."""
INK, GREY = "#1f2328", "#9aa0a6"


def circles(centres: Iterable[Iterable[float]], radius: float, colour: str, more: str = "") -> str:
    """Open circles of one colour."""
    drawn = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>' for x, y in centres)
    return f'<g fill="none" stroke="{colour}" stroke-width="1.6"{more}>{drawn}</g>'


def text(x: float, y: float, words: str, more: str = "") -> str:
    """A line of text."""
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{words}</text>'


def frame(x: float, y: float, width: float, height: float, more: str = "") -> str:
    """A rectangle without a ground."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="none" stroke="{GREY}"{more}/>'


def panel(left: float, title: str, drawn: str, below: str) -> str:
    """A square with a title above and a line below; what is drawn is cut at its border."""
    inner = f'<svg x="{left}" y="40" width="{SIDE}" height="{SIDE}" viewBox="0 0 {SIDE} {SIDE}">{drawn}</svg>'
    return text(left, 28, title, ' font-weight="600"') + inner + frame(left, 40, SIDE, SIDE) + text(left, 40 + SIDE + 22, below)


def shown(result: ParticleResult, source: int, kept: bool) -> Any:
    """Centres of one input's particles in the first micrograph that stay or go, in units of the panel."""
    rows = result.sources[source].rows
    centres = result.coordinates_a[rows][(result.micrograph_of[rows] == 0) & (result.kept[rows] == kept)]
    near = np.all((centres > WINDOW_A[0] - RADIUS_A) & (centres < WINDOW_A[1] + RADIUS_A), axis=1)
    return (centres[near] - WINDOW_A[0]) * _scale()


def _scale() -> float:
    return SIDE / float(WINDOW_A[1, 0] - WINDOW_A[0, 0])


def picks(result: ParticleResult) -> tuple[str, str]:
    """What the pickers found, and what stays of it; what goes is dashed."""
    radius = RADIUS_A * _scale()
    found, stays = "", ""
    for source, colour in enumerate(COLOURS.values()):
        kept, gone = shown(result, source, kept=True), shown(result, source, kept=False)
        found += circles([*kept, *gone], radius, colour)
        stays += circles(gone, radius, GREY, ' stroke-dasharray="2 3" opacity="0.6"') + circles(kept, radius, colour)
    return found, stays


def hole(result: MicrographResult, refined: ParticleResult) -> tuple[str, str]:
    """The first pair: both frames and the particles in them, and a line about it."""
    pair = result.pairs[0]
    size_px, pixel_size_a = result.sizes[pair.first], result.pixel_sizes_a[pair.first]
    assert size_px is not None
    assert pixel_size_a is not None
    move = np.array(pair.shift_px)
    corner, opposite = np.minimum(move, 0), np.maximum(move, 0) + size_px
    scale = (SIDE - 20) / float((opposite - corner).max())
    place = 10 - corner * scale
    place[1] = (SIDE - scale * (opposite - corner)[1]) / 2 - corner[1] * scale
    drawn = ""
    for index, moved, colour, radius in ((pair.first, move * 0, COLOURS["RELION"], 3.4), (pair.second, move, COLOURS["Topaz"], 1.7)):
        x, y = place + moved * scale
        drawn += frame(x, y, scale * size_px[0], scale * size_px[1], f' style="stroke:{colour}"')
        drawn += circles(place + (_particles(refined, result.names[index]) / pixel_size_a + moved) * scale, radius, colour)
    x, y = pair.shift_px
    return drawn, f"moved by {x:.0f}, {y:.0f} px; overlap {100 * pair.overlap:.0f} %"


def _particles(refined: ParticleResult, micrograph: str) -> Any:
    picked = refined.sources[0].picks
    number = [one.name for one in picked.micrographs].index(micrograph)
    return refined.coordinates_a[refined.kept & (picked.micrograph_of == number)]


def draw(session: Path) -> str:
    """The picture, as the text of an SVG file, from the directory of the sessions (``demo/session``)."""
    inputs = [session / name for name in ("relion.star", "topaz.star", "cryosparc.cs")]
    pickers = deduplicate_particles(inputs, ParticleParams(min_separation_a=SEPARATION_A))
    micrographs = session / "micrographs.star"
    refined = deduplicate_particles(session / "refined.star", ParticleParams(min_separation_a=40, micrographs=micrographs))
    exposures = find_duplicate_micrographs(micrographs, MicrographParams(bin=2))
    found, stays = picks(pickers)
    pair, about = hole(exposures, refined)
    legend = " ".join(f'<tspan fill="{colour}">● {name}</tspan>' for name, colour in COLOURS.items())
    kept, removed = int(pickers.kept.sum()), len(exposures.duplicates)
    panels = (
        panel(20, f"{len(pickers.kept):,} picks of three pickers", found, legend),
        panel(20 + SIDE + 40, f"{kept:,} particles stay", stays, f"the best within {SEPARATION_A:.0f} Å; dashed: rejected"),
        panel(20 + 2 * (SIDE + 40), f"{removed} of {len(exposures.kept)} micrographs repeat a hole", pair, about),
    )
    width, height = 3 * SIDE + 120, SIDE + 80
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="Helvetica, sans-serif" font-size="13.5"'
        f' fill="{INK}">\n<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def main() -> None:
    """Makes the sessions and draws the picture."""
    with TemporaryDirectory() as directory:
        session = Path(directory)
        make_session(session)
        make_refined(make_micrographs(session))
        PICTURE.write_text(draw(session), "utf-8")


if __name__ == "__main__":
    main()

"""Plots by matplotlib of the data that the page draws; each takes axes to draw into, or makes some, and returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cryodedup.errors import InputError, MissingPackageError
from cryodedup.micrographs.gallery import MAX_PAIRS
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.particles.result import ParticleOutcome
from cryodedup.report.figures import distances, examples, kept, pickers, significance
from cryodedup.report.figures.separations import Separations
from cryodedup.report.page import colours
from cryodedup.report.particle_page import advice_for_page, words_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES = {"dashed": "--", "dotted": ":", "": "-"}


def axes_or_new(ax: Axes | None) -> Axes:
    """The axes that were given, or new ones.

    Raises
    ------
    MissingPackageError
        matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        raise MissingPackageError(
            kind="missing", field="plots", expected="matplotlib", remedy="pip install 'cryodedup[notebook]'"
        ) from None
    made: Axes = pyplot.subplots(layout="constrained")[1]
    return made


def plot_distances(found: ParticleOutcome, ax: Axes | None) -> Axes:
    """Two histograms of the distances to the nearest neighbour."""
    advice = _advice(found, "plot_distances")
    data = distances.distances(advice, found.params.used_separation_a, words_for(found)[0])
    ax, paint = axes_or_new(ax), colours()
    ax.stairs(data.before, data.edges_a, fill=True, alpha=0.45, color=paint["first"], label="all")
    ax.stairs(data.after, data.edges_a, color=paint["second"], label=data.after_word, linewidth=1.6)
    _mark(ax, data.separations)
    ax.set(
        xlabel="distance to the nearest neighbour (Å)",
        ylabel="particles",
        yscale="log",
        xlim=(0, float(data.edges_a[-1])),
        ylim=(0.8, None),
    )
    ax.legend()
    return ax


def plot_kept_curve(found: ParticleOutcome, ax: Axes | None) -> Axes:
    """The share of the particles that each minimum separation would keep."""
    data = kept.kept(_advice(found, "plot_kept_curve"), found.params.used_separation_a, len(found.kept))
    ax = axes_or_new(ax)
    ax.plot(data.separations_a, data.percent, "o-", color=colours()["first"], markersize=4)
    _mark(ax, data.separations)
    ax.set(xlabel="minimum separation (Å)", ylabel="particles kept (%)", xlim=(0, None), ylim=(0, 104))
    ax.grid(alpha=0.25)
    ax.legend()
    return ax


def plot_pickers(found: ParticleOutcome, ax: Axes | None) -> Axes:
    """A matrix: the share of the particles of the input in each row that have a particle of the input in each column nearby."""
    data = pickers.pickers(found)
    if data is None:
        raise InputError(
            kind="missing", field="plot_pickers", found=f"{len(found.sources)} inputs", expected="2 or more whose overlaps are known"
        )
    ax = axes_or_new(ax)
    image = ax.imshow(data.percent, vmin=0, vmax=100, cmap="cividis")
    ticks = range(len(data.names))
    ax.set_xticks(ticks, data.names, rotation=30, ha="right")
    ax.set_yticks(ticks, data.names)
    for row, column in np.ndindex(data.percent.shape):
        value = data.percent[row, column]
        ax.text(
            column, row, f"{value:.0f}" if np.isfinite(value) else "–", ha="center", va="center", color="black" if value > 60 else "white"
        )
    ax.figure.colorbar(image, ax=ax, label="particles with one of the other input nearby (%)")
    return ax


def plot_micrograph(found: ParticleOutcome, name: str, ax: Axes | None) -> Axes:
    """A micrograph, its kept and rejected particles as circles, and a line from each rejected one to that which it duplicates."""
    if not found.centres.in_angstrom:
        raise InputError(
            kind="missing", field="plot_micrograph", found="particles whose pixel size is not known", expected="it (pixel_size_a)"
        )
    shown = examples.example_of(found, examples.numbered(found, name))
    ax, paint, words = axes_or_new(ax), colours(), words_for(found)
    if shown.image.pixels is not None:
        ax.imshow(shown.image.pixels, cmap="gray", extent=shown.extent_a, origin="lower")
    radius = 0.5 * shown.diameter_a
    for is_kept, word, colour in ((True, words[0], paint["first"]), (False, words[1], paint["mark"])):
        chosen = shown.centres_a[shown.kept == is_kept]
        ax.add_collection(_circles(chosen, radius, colour, "-" if is_kept else "--", f"{len(chosen):,} {word}"))
    joined = np.flatnonzero(shown.duplicate_of >= 0)
    ends = np.stack([shown.centres_a[joined], shown.centres_a[shown.duplicate_of[joined]]], axis=1)
    ax.add_collection(_lines(ends, paint["mark"]))
    left, right, bottom, top = shown.extent_a
    ax.set(xlabel="x (Å)", ylabel="y (Å)", xlim=(left, right), ylim=(bottom, top), aspect="equal", title=shown.name)
    ax.legend(loc="upper right")
    return ax


def plot_pair(found: MicrographOutcome, k: int, ax: Axes | None) -> Axes:
    """Two micrographs of a pair, the second laid on the first at their shift."""
    if not isinstance(k, int | np.integer) or not 0 <= k < len(found.pairs):
        expected = f"a number from 0 to {len(found.pairs) - 1}" if found.pairs else "one of the pairs, of which there are none"
        raise InputError(kind="parameter", field="plot_pair", found=f"pair {k!r}", expected=expected)
    pair = found.pairs[k]
    if not {pair.first, pair.second} <= found.thumbnails.keys():
        raise InputError(
            kind="missing",
            field="plot_pair",
            found=f"no pictures of pair {k}: those of the {MAX_PAIRS} best and most doubtful pairs are kept",
        )
    ax = axes_or_new(ax)
    width, height = found.sizes[pair.first] or (1, 1)
    for i, (x, y), alpha in ((pair.first, (0.0, 0.0), 1.0), (pair.second, pair.shift_px, 0.5)):
        # Rows of the pictures come from the top down, pixels are counted from below.
        ax.imshow(found.thumbnails[i], cmap="gray", extent=(x, x + width, y, y + height), origin="upper", alpha=alpha)
    x, y = pair.shift_px
    ax.set(xlabel="x (px)", ylabel="y (px)", xlim=(min(0, x), width + max(0, x)), ylim=(min(0, y), height + max(0, y)), aspect="equal")
    ax.set_title(
        f"{found.names[pair.first]}\n= {found.names[pair.second]}\nz {pair.z:.1f}, overlap {100 * pair.overlap:.0f} %", fontsize="small"
    )
    return ax


def plot_significance(found: MicrographOutcome, ax: Axes | None) -> Axes:
    """Numbers of pairs of at least each significance: found, of mirrored pairs, and expected by chance."""
    data = significance.significance(found)
    if data is None:
        raise InputError(kind="missing", field="plot_significance", found="no pair that was compared closely", expected="some")
    ax, paint = axes_or_new(ax), colours()
    ax.step(data.found_z, data.found, where="post", color=paint["first"], label="found")
    ax.step(data.mirrored_z, data.mirrored, where="post", color=paint["second"], label="mirrored pairs")
    ax.plot(data.chance_z, data.chance, "--", color=paint["grey"], label="chance")
    if data.min_z is not None:
        ax.axvline(data.min_z, linestyle="--", color=paint["mark"], label=f"q ≤ {data.fdr:g}")
    ax.set(xlabel="significance z (standard deviations)", ylabel="pairs of at least this z", xscale="log", yscale="log", ylim=(1e-2, None))
    ax.legend()
    return ax


def _advice(found: ParticleOutcome, name: str) -> Any:
    advice = advice_for_page(found)
    if advice is None:
        raise InputError(
            kind="missing", field=name, found="no distances: the pixel size is not known, or there are fewer than two particles"
        )
    return advice


def _mark(ax: Axes, separations: Separations) -> None:
    paint = colours()
    for rule in separations.rules():
        for at in rule.at:
            ax.axvline(at, linestyle=_DASHES[rule.dash], color=paint[rule.paint], linewidth=1.6, label=rule.label)


def _circles(centres: Any, radius: float, colour: str, style: str, label: str) -> Any:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    patches = [Circle((x, y), radius) for x, y in centres]
    return PatchCollection(patches, facecolor="none", edgecolor=colour, linestyle=style, linewidth=1.2, label=label)


def _lines(ends: Any, colour: str) -> Any:
    from matplotlib.collections import LineCollection

    return LineCollection(list(ends), colors=colour, linewidths=1.2)

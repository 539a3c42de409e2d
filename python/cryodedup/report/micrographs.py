"""The page about micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.directory import FIGURES, PAGE
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.gallery import FEW_PAIRS, doubtful_and_best
from cryodedup.micrographs.result import MicrographResult
from cryodedup.micrographs.self_test import MAX_NAMED
from cryodedup.micrographs.sentences import overlap_range, overlaps, versions
from cryodedup.micrographs.significance import CAUTION
from cryodedup.report.cards import card, short
from cryodedup.report.micrograph_text import about_self_test, methods, verdict
from cryodedup.report.page import (
    FIRST,
    GREY,
    MARK,
    SECOND,
    Figures,
    Picture,
    command_line,
    legend,
    line,
    render,
    shades,
    styled,
)

MOST_LISTED = 500
MOST_LINES = 120
FEW_POINTS = 20
TICKS = (2, 3, 4, 5, 7, 10, 20, 50, 100, 200, 500)
SAME_STAGE_M = 0.5e-6
"""Stage positions, in metres, that differ by more are two."""


def write_page(result: MicrographResult, staging: Path) -> None:
    """Writes ``report.html`` and ``figures/`` into a directory."""
    with styled():
        figures = Figures(staging / FIGURES)
        doubtful, best = doubtful_and_best(result.pairs)
        names = short(result.names)
        small = len(doubtful) + len(best) > FEW_PAIRS
        text = render(
            "micrographs.html.j2",
            verdict=verdict(result),
            warnings=[*([f"Withheld: {result.withheld}."] if result.withheld else []), *result.warnings],
            notes=[],
            version=_core.__version__,
            command=command_line("find_duplicate_micrographs(...)"),
            parameters=[(name, str(value)) for name, value in result.params.used().items()],
            methods=methods(result),
            significance=_significance(figures, result),
            hits=_hits(figures, result) if result.pairs else None,
            shifts=_shifts(figures, result) if result.pairs else None,
            doubtful=[card(result, names, k, small) for k in doubtful],
            best=[card(result, names, k, small) for k in best],
            shown=len(doubtful) + len(best),
            duplicates=[_row(result, pair) for pair in result.duplicates[:MOST_LISTED]],
            overlaps=[_row(result, pair) for pair in result.overlaps[:MOST_LISTED]],
            totals=(len(result.pairs), len(result.duplicates), len(result.overlaps)),
            about_overlaps=overlaps(result) if result.overlaps else "",
            versions=[(result.names[one.kept], result.names[one.version], one.kind) for one in result.versions[:MOST_LISTED]],
            about_versions=versions(result) if result.versions else "",
            n_versions=len(result.versions),
            unreadable=[(result.names[i], reason) for i, reason in result.unreadable.items()][:MOST_LISTED],
            alone=_alone(result),
            flat=[result.names[i] for i in result.flat][:MOST_LISTED],
            about_self_test=about_self_test(result.self_test) if result.self_test else [],
            recalls=_recalls(result),
            false_pairs=result.self_test.false_pairs[:MAX_NAMED] if result.self_test else (),
            n_unreadable=len(result.unreadable),
            n_flat=len(result.flat),
            sets=_sets(result),
        )
    (staging / PAGE).write_text(text, "utf-8")


def _significance(figures: Figures, result: MicrographResult) -> tuple[Picture, str] | None:
    """How many pairs are at least that significant, and how many would be by chance."""
    found = max(result.compared, key=lambda found: len(found.members), default=None)
    if found is None or not len(found.observed):
        return None
    figure, axes = figures.new()
    observed, ranks = _ranked(found.observed)
    axes.step(observed, ranks, "." if len(observed) < FEW_POINTS else "", where="post", color=FIRST, linewidth=1.8, label="found")
    decoys = found.null.mirrored.values
    if len(decoys) > 1:
        scale = found.tested / max(1, found.decoys_tested)
        axes.step(
            np.sort(decoys)[::-1],
            np.arange(1, len(decoys) + 1) * scale,
            where="post",
            color=SECOND,
            linewidth=1.2,
            label="mirrored pairs",
        )
    start = found.null.mirrored.start
    z = np.linspace(start, max(float(observed[0]), start + 1), 200)
    axes.plot(z, found.tested * found.null.elsewhere(z), color=GREY, linestyle="--", linewidth=1.2, label="chance")
    caption = f"Pairs of at least each significance, of {found.tested:,}, and how many of them are expected by chance"
    caption += f" (dashed: an upper estimate, from {CAUTION:g} times the mirrored pairs and from the bulk of all pairs)."
    if result.params.threshold is None:
        accepted = len(found.pairs)
        least = found.null.min_z(result.params.fdr * (accepted + 1) / found.tested)
        line(axes, least, f"q ≤ {result.params.fdr:g}")
        caption += f" From about z = {least:.1f} on a pair is accepted by itself; {accepted:,} are accepted."
        supported = sum(pair.z < least for pair in found.pairs)
        if supported:
            caption += f" {supported:,} of them are less significant, but other shots of the same holes agree with them."
        if (observed >= least).sum() > accepted - supported:
            caption += (
                " More is asked of pairs at zero shift, and of pairs no more alike than other shots of other holes at the same shift."
            )
    else:
        caption += f" What counts is ccc ≥ {result.params.threshold:g}, not z."
    axes.set(yscale="log", ylim=(1e-2, 2.0 * max(5, len(found.observed))), xlim=(min(3.0, float(observed[0])), None))
    axes.set(xscale="log", xlabel="significance z", ylabel="pairs of at least z")
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in TICKS if low <= tick <= high], minor=False)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    legend(axes)
    return figures.keep("significance", figure, "Numbers of pairs against their significance, found and expected by chance"), caption


def _ranked(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values from the highest, and how many are at least as high: each of the first thousand, then ever fewer of the others."""
    ranks = np.unique(np.concatenate([np.arange(1, min(len(values), 1000) + 1), np.geomspace(1, len(values), 1000).astype(np.int64)]))
    places = len(values) - ranks
    return np.partition(values, places)[places], ranks


def _hits(figures: Figures, result: MicrographResult) -> tuple[Picture, str]:
    """Order of exposure against order of exposure."""
    n = len(result.order)
    place = np.empty(n, int)
    place[result.order] = np.arange(n) + 1
    ends = np.array([sorted((place[pair.first], place[pair.second])) for pair in result.pairs])
    contradicted = np.array([pair.shot_agreement == "contradicted" for pair in result.pairs])
    figure, axes = figures.new(5.4, 4.4)
    told = []
    in_order = [result.exposures.acquisitions[i] for i in result.order]
    for values, word, width in ((_stages(in_order), "stage groups", 1.0), ([one.hole for one in in_order], "holes", 0.4)):
        bounds = [k + 0.5 for k in range(1, n) if values[k] != values[k - 1]]
        if any(values) and 0 < len(bounds) <= MOST_LINES:
            told.append(word)
            for bound in bounds:
                axes.axvline(bound, color=GREY, linewidth=width, alpha=0.3)
                axes.axhline(bound, color=GREY, linewidth=width, alpha=0.3)
    axes.plot([1, n], [1, n], color=GREY, linewidth=0.8)
    size = float(np.clip(400 / max(n, 1), 2, 7))
    axes.plot(*ends[~contradicted].T, "s", color=FIRST, markersize=size)
    axes.plot(*ends[contradicted].T, "s", color=MARK, markersize=size)
    order = f"exposure, in order of {result.order_rule}" if result.order_rule else "exposure, in order"
    axes.set(xlim=(0.5, n + 0.5), ylim=(n + 0.5, 0.5), aspect="equal", xlabel=order, ylabel="exposure")
    axes.locator_params(integer=True)
    caption = "Which exposures show the same; lines in parallel to the diagonal are holes that were imaged again."
    caption += f" Thin lines: {' and '.join(told)}." if told else ""
    caption += " Only pairs of the window were compared, those near the diagonal." if result.params.search == "window" else ""
    caption += " Red: contradicted by the other shots of the same holes." if contradicted.any() else ""
    return figures.keep("hits", figure, "Matrix of exposures that show the same"), caption


def _stages(acquisitions: Sequence[Acquisition]) -> list[int]:
    """A number for each stretch of exposures at one place of the stage; zeros where it is not known."""
    groups: list[int] = []
    last = None
    for one in acquisitions:
        if one.stage is None:
            return [0] * len(acquisitions)
        moved = last is None or max(abs(a - b) for a, b in zip(one.stage, last, strict=True)) > SAME_STAGE_M
        groups.append((groups[-1] if groups else 0) + moved)
        last = one.stage
    return groups


def _shifts(figures: Figures, result: MicrographResult) -> tuple[Picture, str]:
    shifts = np.array([pair.shift_px for pair in result.pairs])
    z = np.array([pair.z for pair in result.pairs])
    sizes = [result.sizes[pair.first] for pair in result.pairs]
    width, height = np.max([size for size in sizes if size is not None], axis=0)
    figure, axes = figures.new(5.4, 3.9)
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.axvline(0, color=GREY, linewidth=0.6)
    points = axes.scatter(*shifts.T, c=z, cmap=shades(), s=14)
    figure.colorbar(points, ax=axes, label="z", shrink=0.7)
    axes.set(xlim=(-width, width), ylim=(-height, height), aspect="equal", xlabel="move in x (px)", ylabel="move in y (px)")
    caption = f"The moves that lay duplicates on originals; moves as long as the axes leave no overlap ({width} x {height} px)."
    pixel_a = next((size for size in result.pixel_sizes_a if size), None)
    if pixel_a:
        longest = float(np.hypot(*shifts.T).max())
        caption += f" The longest is {longest:,.0f} px = {longest * pixel_a:,.0f} Å."
    return figures.keep("shifts", figure, "Scatter of shifts"), caption


def _row(result: MicrographResult, pair: Pair) -> tuple[object, ...]:
    return (
        result.names[pair.first],
        result.names[pair.second],
        pair.set or ("both kept" if result.kept[pair.first] and result.kept[pair.second] else ""),
        round(pair.z, 1),
        float(f"{pair.q:.2g}"),
        round(pair.ccc, 3),
        round(100 * pair.overlap),
        round(pair.shift_px[0]),
        round(pair.shift_px[1]),
        pair.shot_agreement,
    )


def _recalls(result: MicrographResult) -> list[tuple[object, ...]]:
    """Of the self-test: overlap, planted, found, recall in per cent, median significance."""
    bands = result.self_test.bands if result.self_test else ()
    return [
        (
            overlap_range(band),
            band.planted,
            band.found,
            "" if band.recall is None else round(100 * band.recall),
            "" if band.median_z is None else round(band.median_z, 1),
        )
        for band in bands
    ]


def _alone(result: MicrographResult) -> list[str]:
    """Micrographs that were compared with none, since no other one is of their size."""
    compared = {i for found in result.compared for i in found.members} | set(result.unreadable) | {one.version for one in result.versions}
    return [result.names[i] for i, size in enumerate(result.sizes) if size is not None and i not in compared][:MOST_LISTED]


def _sets(result: MicrographResult) -> list[tuple[int, int]]:
    """How many sets are how large."""
    sizes, counts = np.unique([len(group) for group in result.groups], return_counts=True)
    return list(zip(sizes.astype(int).tolist(), counts.tolist(), strict=True))

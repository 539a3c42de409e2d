"""The part of the page about pickers: who finds what the others find."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup.particles.analysis.consensus import jaccard
from cryodedup.particles.result import ParticleOutcome
from cryodedup.report.page import FIRST, GREY, SECOND, Figures, Picture, plain, shades

MOST_COMBINATIONS, MOST_SOURCES_SHOWN = 24, 12
BINS = 60


def pickers(figures: Figures, result: ParticleOutcome) -> dict[str, Any] | None:
    """Matrix, bars, scores and a table; None for one input."""
    if result.analysis.overlaps is None:
        return None
    n = len(result.sources)
    shown = min(n, MOST_SOURCES_SHOWN)
    labels = [source.picks.label for source in result.sources]
    short = [Path(label).name or label for label in labels]
    short = [label if short.count(name) > 1 else name for name, label in zip(short, labels, strict=True)]
    names = [plain(name) for name in short]
    sets = result.analysis.found_by
    similar = jaccard(sets, n) if sets is not None else None
    counts = np.array([len(source.picks) for source in result.sources])
    pictures = [_matrix(figures, result.analysis.overlaps[:shown, :shown], counts[:shown], names[:shown])]
    if sets and any(max(sources) < MOST_SOURCES_SHOWN for sources in sets):
        pictures.append(_upset(figures, sets, names))
    pictures += _winners(figures, result)
    pairs = [
        (
            short[i],
            short[j],
            int(result.analysis.overlaps[i, j]),
            int(result.analysis.overlaps[j, i]),
            "" if similar is None else round(float(similar[i, j]), 4),
        )
        for i in range(shown)
        for j in range(i + 1, shown)
    ]
    return {"pictures": pictures, "pairs": pairs, "shown": shown, "total": n}


def _matrix(figures: Figures, overlaps: Any, counts: Any, names: Sequence[str]) -> tuple[Picture, str]:
    shares = 100 * overlaps / np.maximum(counts, 1)[:, None]
    side = 1.6 + 0.55 * len(names)
    figure, axes = figures.new(min(9.0, side + 2.2), min(7.0, side))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, alpha=0.85)
    for (i, j), share in np.ndenumerate(shares):
        axes.text(j, i, f"{share:.0f}", ha="center", va="center", color="white" if share > 55 else "#24405e", fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axes.set_yticks(range(len(names)), names)
    caption = (
        "Of the particles of each row, the share (%) that have one of the column within the minimum separation, themselves not counted."
    )
    return figures.keep("pickers", figure, "Matrix of who duplicates whom"), caption


def _upset(figures: Figures, sets: dict[tuple[int, ...], int], names: Sequence[str]) -> tuple[Picture, str]:
    shown = [(sources, count) for sources, count in sets.items() if max(sources) < MOST_SOURCES_SHOWN]
    chosen = shown[:MOST_COMBINATIONS]
    present = sorted({source for sources, _ in chosen for source in sources})
    row = {source: k for k, source in enumerate(present)}
    figure, (bars, dots) = figures.new(
        min(10.0, 3.2 + 0.38 * len(chosen)), 2.4 + 0.24 * len(present), nrows=2, sharex=True, height_ratios=[2.2, 0.3 * len(present) + 0.3]
    )
    bars.bar(range(len(chosen)), [count for _, count in chosen], color=FIRST, width=0.6)
    for x, (_, number) in enumerate(chosen):
        bars.text(x, number, f"{number:,}", ha="center", va="bottom", fontsize=7)
    bars.set_ylabel("particles")
    bars.tick_params(bottom=False)
    for x, (sources, _) in enumerate(chosen):
        rows = [row[source] for source in sources]
        dots.plot([x] * len(present), range(len(present)), "o", color=GREY, alpha=0.2, markersize=5)
        dots.plot([x, x], [min(rows), max(rows)], color=SECOND, linewidth=1.5)
        dots.plot([x] * len(rows), rows, "o", color=SECOND, markersize=6)
    dots.set_yticks(range(len(present)), [names[source] for source in present])
    dots.set(ylim=(len(present) - 0.5, -0.5), xlim=(-0.6, len(chosen) - 0.4))
    dots.tick_params(bottom=False, labelbottom=False, left=False)
    dots.spines[:].set_visible(False)
    more = f" {len(sets) - len(chosen):,} combinations, rarer ones or of further inputs, are left out." if len(sets) > len(chosen) else ""
    caption = "How many particles (sets of duplicates) were found by exactly which inputs." + more
    return figures.keep("found_by", figure, "Bars: particles by the inputs that found them"), caption


def _winners(figures: Figures, result: ParticleOutcome) -> list[tuple[Picture, str]]:
    """Scores of winners against those of losers of other inputs, as they were compared."""
    if result.selection.ranking.scores is None or result.params.remove_entirely:
        return []
    source_of = result.joined.source_of
    other = source_of[result.rejected] != source_of[result.duplicate_of]
    loser, winner = result.selection.ranking.scores[result.rejected[other]], result.selection.ranking.scores[result.duplicate_of[other]]
    finite = np.isfinite(loser) & np.isfinite(winner)
    if finite.sum() < 2 or not np.isfinite([np.ptp(winner[finite]), np.ptp(loser[finite])]).all():
        return []
    figure, axes = figures.new(4.4, 3.6)
    counts, x, y = np.histogram2d(winner[finite], loser[finite], BINS)
    mesh = axes.pcolormesh(x, y, np.where(counts.T > 0, counts.T, np.nan), cmap=shades(), norm="log", rasterized=True)
    most = int(counts.max())
    ticks = sorted({1, most, *(10**k for k in range(1, 9) if 3 * 10**k < most)})
    figure.colorbar(mesh, ax=axes, label="pairs", ticks=ticks, format="{x:,.0f}").minorticks_off()
    axes.set(xlabel="score of the winner, as compared", ylabel="score of the loser")
    caption = "Scores of duplicates from different inputs, as they were compared (ranks within each input, if scores were normalised)."
    return [(figures.keep("scores", figure, "Scores of winners against those of losers"), caption)]

"""The page about particles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import lgamma
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup import _core
from cryodedup.formats.output import Written
from cryodedup.output_directory import FIGURES, PAGE
from cryodedup.particles.analysis.advice import Advice
from cryodedup.particles.analysis.consensus import outvoted_words
from cryodedup.particles.result import ParticleOutcome
from cryodedup.report.examples import Example, examples
from cryodedup.report.page import FIRST, GREY, MARK, SECOND, Figures, Picture, legend, line, render, styled
from cryodedup.report.pickers import pickers
from cryodedup.text import count

CHANCE = 0.05
"""Micrographs stand out if chance would make one of them like that in so many sessions."""
MOST_OUTLIERS, MOST_NAMED = 20, 60
ARROW, MOST_TIMES = 0.025, 20
"""Arrows are enlarged until the median one is such a share of the frame, up to so many times."""


def write_page(result: ParticleOutcome, written: Written, command: str | None, staging: Path) -> None:
    """Writes ``report.html`` and ``figures/`` into a directory."""
    with styled():
        figures = Figures(staging / FIGURES)
        advice = result.advice()
        separation = result.params.min_separation_a
        half_sets = result.analysis.half_sets
        words = ("best", "duplicates") if result.repaired_halves is not None else ("kept", "rejected")
        text = render(
            "particles.html.j2",
            verdict=" ".join(filter(None, [verdict(result), _half_set_sentence(result)])),
            warnings=result.warnings,
            notes=[*result.notes, *written.notes],
            version=_core.__version__,
            command=command or "deduplicate_particles(...)",
            parameters=[(name, str(value)) for name, value in asdict(result.params).items() if name != "unused"],
            methods=methods(result),
            advice=advice,
            separation=separation,
            distances=_distances(figures, advice, separation, words[0]) if advice else None,
            curve=_curve(figures, advice, len(result.kept), separation) if advice else None,
            curve_rows=list(zip(advice.separations_a.round(1).tolist(), advice.kept.tolist(), strict=True)) if advice else [],
            advice_lines=advice.lines(len(result.kept), separation) if advice else [],
            half_sets=half_sets.found if half_sets else None,
            half_sets_lines=half_sets.lines() if half_sets else [],
            pickers=pickers(figures, result),
            examples=_examples(figures, examples(result), words) if result.centres.in_angstrom else [],
            words=words,
            outliers=_outliers(result),
            sources=[_source(result, i) for i in range(min(len(result.sources), MOST_NAMED))],
            more_sources=max(0, len(result.sources) - MOST_NAMED),
        )
    (staging / PAGE).write_text(text, "utf-8")


def _half_set_sentence(result: ParticleOutcome) -> str:
    """What half-sets show, if it is bad."""
    audit = result.analysis.half_sets
    if audit is None or audit.found.grade == "none":
        return ""
    text = audit.verdict
    return f"{text[0].upper()}{text[1:]}."


def _source(result: ParticleOutcome, i: int) -> tuple[object, ...]:
    picks = result.sources[i].picks
    kept = len(picks) if result.repaired_halves is not None else int(result.kept_of(i).sum())
    return picks.label, picks.format, len(picks), kept, len(picks.micrographs)


def verdict(result: ParticleOutcome) -> str:
    """How many, kept, rejected, in how many micrographs, at what distance."""
    n, rejected = len(result.kept), len(result.rejected)
    at = result.criterion
    where = f"{count(n, 'pick')} in {count(result.n_micrographs, 'micrograph')}"
    if result.repaired_halves is not None:
        moved = int((result.repaired_halves != result.analysis.halves).sum())
        return f"{where}: all stay, {rejected:,} of them duplicates at {at}; {moved:,} were moved to the other half-set."
    outvoted = outvoted_words(result.selection.outvoted, result.params.min_votes)
    return f"{where}: {n - rejected:,} kept, {rejected:,} rejected ({100 * rejected / max(1, n):.1f} %), at {at}{outvoted}."


def methods(result: ParticleOutcome) -> str:
    """A paragraph for a paper."""
    params = result.params
    n, rejected = len(result.kept), len(result.rejected)
    shifts = {"none": "stored coordinates", "alignments3D": "coordinates corrected by 3D alignment shifts"}
    centre = shifts.get(result.centres.shift_key, "coordinates corrected by 2D alignment shifts")
    sources = f"{len(result.sources)} sets of picks" if len(result.sources) > 1 else "the picks"
    what = result.criterion.words(centre)
    if result.selection.repeated_uids:
        what += f", and particles of one unique identifier ({result.selection.repeated_uids:,}),"
    fields = {str(source.score["field"]) for source in result.sources if source.score.get("field")}
    best = "one, at random," if "random" in fields else f"the best by {' or '.join(sorted(fields))}" if fields else "the first"
    if fields and (params.normalize_scores == "rank" or (params.normalize_scores == "auto" and len(result.sources) > 1)):
        best += " (compared by their ranks in each set)"
    if params.priority == "input":
        best = f"that of the earliest set of picks, and among these {best}"
    greedily = "in their order" if best == "the first" else "from the best to the worst"
    rule = "all of them were removed" if params.remove_entirely else f"{best} of each was kept (greedily, {greedily})"
    if result.repaired_halves is not None:
        moved = int((result.repaired_halves != result.analysis.halves).sum())
        rule = (
            f"all were kept, and those connected by duplicates put into one half-set, for which {count(moved, 'particle')} changed theirs"
        )
    ending = (
        ""
        if result.repaired_halves is not None
        else f" {rejected:,} of {n:,} particles in {result.n_micrographs:,} micrographs were removed."
    )
    votes = (
        f" Particles found by fewer than {params.min_votes} of {len(result.sources)} inputs were removed, too."
        if params.min_votes > 1
        else ""
    )
    half_sets = result.analysis.half_sets
    audit = f" {half_sets.found.pairs_across:,} duplicate pairs lay across the half-sets of the input." if half_sets else ""
    found = f"Duplicates among {sources} were found with cryodedup {_core.__version__}"
    return f"{found}. {what} were taken as duplicates; {rule}.{votes}{ending}{audit}"


def _distances(figures: Figures, advice: Advice, separation: float, kept: str) -> Picture:
    figure, axes = figures.new()
    axes.stairs(advice.before, advice.edges_a, fill=True, color=FIRST, alpha=0.45, label="all")
    axes.stairs(advice.after, advice.edges_a, color=SECOND, linewidth=1.6, label=kept)
    line(axes, separation, f"chosen {separation:g} Å")
    _advised(axes, advice)
    axes.set(
        yscale="log", ylim=(0.8, None), xlim=(0, advice.edges_a[-1]), xlabel="distance of the nearest neighbour (Å)", ylabel="particles"
    )
    legend(axes)
    return figures.keep("distances", figure, "Histogram of the distances of nearest neighbours, of all and of the kept particles")


def _advised(axes: Any, advice: Advice) -> None:
    suggested, usual = advice.suggestion.suggested_a, advice.suggestion.usual_distance_a
    if suggested is not None:
        line(axes, suggested, f"suggested {suggested:.0f} Å", SECOND, ":")
    if usual is not None:
        line(axes, usual, f"neighbours {usual:.0f} Å", GREY, ":")


def _curve(figures: Figures, advice: Advice, n: int, separation: float) -> Picture:
    figure, axes = figures.new()
    axes.plot(advice.separations_a, 100 * advice.kept / n, color=FIRST, marker=".")
    line(axes, separation, f"chosen {separation:g} Å")
    _advised(axes, advice)
    axes.set(xlim=(0, None), ylim=(0, 102), xlabel="minimum separation (Å)", ylabel="particles that stay (%)")
    axes.grid(visible=True)
    legend(axes)
    return figures.keep("kept", figure, "Share of particles that stay against the minimum separation")


def _examples(figures: Figures, chosen: Sequence[Example], words: tuple[str, str]) -> list[tuple[Picture, str]]:
    pictures = []
    for example in chosen:
        left, right, bottom, top = example.extent_a
        width, height = right - left, top - bottom
        drift, times = 0.0, 1
        if example.picked_a is not None:
            drift = float(np.median(np.hypot(*(example.centres_a - example.picked_a).T)))
            times = int(np.clip(ARROW * max(width, height) / max(drift, 1e-6), 1, MOST_TIMES))
        figure, both = figures.new(9.0, min(6.0, 0.6 + 4.5 * height / max(width, 1e-6)), ncols=2, sharex=True, sharey=True)
        for axes, wanted, title, colour in zip(both, (True, False), words, (FIRST, MARK), strict=True):
            axes.set_facecolor("none")
            if example.image is not None:
                axes.imshow(example.image, cmap="gray", origin="lower", extent=example.extent_a, vmin=0, vmax=255)
            points = example.centres_a[example.kept == wanted]
            axes.plot(*points.T[:2], "o", markerfacecolor="none", markeredgecolor=colour, markersize=example.marker, markeredgewidth=1.1)
            if example.picked_a is not None:
                moves = times * (points - example.picked_a[example.kept == wanted])
                axes.quiver(
                    *(points - moves).T,
                    *moves.T,
                    angles="xy",
                    scale_units="xy",
                    scale=1,
                    color=SECOND,
                    width=0.003,
                    headwidth=5,
                    minlength=0,
                )
            outside = int(((points < (left, bottom)) | (points > (right, top))).any(axis=1).sum())
            axes.set(
                title=f"{len(points):,} {title}" + (f", {outside:,} outside the frame" if outside else ""),
                xlim=(left, right),
                ylim=(bottom, top),
                aspect="equal",
            )
            axes.tick_params(labelsize=7)
        both[0].set(xlabel="Å", ylabel="Å")
        picture = figures.keep(f"example_{example.word.replace(' ', '_')}", figure, f"Particles of the {example.word} micrograph")
        by = {"worst": f"of the largest share of {words[1]}", "median": "in the middle by that share", "random": "taken at random"}
        caption = f"The {example.word} micrograph ({by[example.word]}): {example.name}"
        caption += f" ({example.missing})." if example.missing else "."
        caption += " Seen along z." if example.deep else ""
        if example.picked_a is not None:
            long = "as long as the moves" if times == 1 else f"{times} times as long as the moves"
            caption += f" Arrows lead from where particles were picked to where shifts put them, {long}: {drift:.1f} Å in the median."
        pictures.append((picture, caption))
    return pictures


def _outliers(result: ParticleOutcome) -> dict[str, Any]:
    """Micrographs of which significantly more is rejected than of others that the same inputs cover."""
    n = np.bincount(result.micrograph_of, minlength=result.n_micrographs)
    rejected = np.bincount(result.micrograph_of[result.rejected], minlength=result.n_micrographs)
    alike = result.joined.coverage.alike()
    shares = (np.bincount(alike, rejected) / np.maximum(1, np.bincount(alike, n)))[alike] if len(n) else np.zeros(0)
    excess = (rejected - n * shares) / np.sqrt(np.maximum(n * shares * (1 - shares), 0.25))
    order = np.argsort(-excess, kind="stable")[:MOST_OUTLIERS].tolist()
    least = CHANCE / max(1, int(np.count_nonzero(n)))
    order = [k for k in order if excess[k] > 0 and binomial_tail(int(rejected[k]), int(n[k]), float(shares[k])) < least]
    share = float(rejected.sum() / max(1, n.sum()))
    names = names_of_micrographs(result, order)
    rows = [(names[k], int(n[k]), int(rejected[k]), round(100 * float(rejected[k] / n[k]), 1), round(float(excess[k]), 1)) for k in order]
    empty = int((rejected == n).sum() - (n == 0).sum()) if result.n_micrographs else 0
    return {"rows": rows, "share": 100 * share, "emptied": empty}


def binomial_tail(least: int, n: int, share: float) -> float:
    """The probability of at least so many of n, each of which is one with a probability between 0 and 1."""
    if not 0 < share < 1:
        return float(least <= n * share)
    odds = np.log(share) - np.log1p(-share)
    first = lgamma(n + 1) - lgamma(least + 1) - lgamma(n - least + 1) + least * odds + n * np.log1p(-share)
    more = np.arange(least, n)
    return float(min(1.0, np.exp(first + np.concatenate([[0.0], np.cumsum(np.log((n - more) / (more + 1)) + odds)])).sum()))


def names_of_micrographs(result: ParticleOutcome, wanted: Sequence[int]) -> dict[int, str]:
    """The names of some micrographs, as the first input that has each gives them."""
    names: dict[int, str] = {}
    for source in result.sources:
        missing = [number for number in wanted if number not in names]
        if not missing or not len(source.picks):
            continue
        numbers = result.micrograph_of[source.rows]
        for number in missing:
            rows = np.flatnonzero(numbers == number)
            if len(rows):
                names[number] = source.picks.micrographs[int(source.picks.micrograph_of[rows[0]])].name
    return {number: names.get(number, "") for number in wanted}

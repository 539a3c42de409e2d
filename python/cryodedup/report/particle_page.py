"""The page about particles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cryodedup.particles.analysis.advice import Advice, advise_on_sample
from cryodedup.particles.analysis.consensus import jaccard
from cryodedup.particles.result import ParticleOutcome
from cryodedup.particles.summary import pixel_size_words, score_words, used_values
from cryodedup.report.figure import Figure
from cryodedup.report.figures import distances, example_panels, found_by, kept, pickers, scores
from cryodedup.report.figures.examples import examples
from cryodedup.report.next_steps import after_particles
from cryodedup.report.outliers import Outliers, names_of_micrographs, outliers
from cryodedup.report.page import Origin, Page, page, room
from cryodedup.report.particle_text import methods, other_rule, used_lines, verdict
from cryodedup.report.picks import drawings
from cryodedup.report.rows import Column, LongTable, long_table

MAX_SAMPLED = 100_000
"""With more particles, histogram and curve are computed from some of the micrographs: the error is then a tenth of the line width."""
MAX_INPUTS = 60
NOWHERE = Origin()
NO_OUTLIERS: dict[str, Any] = {"rows": [], "percent": 0.0, "emptied": 0}


def particle_page(result: ParticleOutcome, origin: Origin = NOWHERE) -> Page:
    """Makes the page about a result; nothing is written, and the result is not changed.

    Parameters
    ----------
    origin
        When and where it was made, and what was written.
    """
    advice = advice_for_page(result)
    words = words_for(result)
    shown = _examples(result, words) if len(result.rejected) else []
    figures = [*advised(result, advice, words[0]), *_compared(result), *shown]
    return page(
        "particles.html.j2",
        figures,
        origin,
        verdict=verdict(result),
        warnings=result.warnings,
        steps=after_particles(result, origin),
        notes=[*result.notes, *origin.notes],
        command=origin.command or "deduplicate_particles(...)",
        parameters=_parameters(result),
        used=used_lines(result),
        methods=methods(result),
        advice_lines=advice.lines(len(result.kept), result.params.used_separation_a) if advice else [],
        curve_rows=list(zip(advice.separations_a.round(1).tolist(), advice.kept.tolist(), strict=True)) if advice else [],
        by_distance_alone=not other_rule(result),
        other_rule=other_rule(result),
        particles=len(result.kept),
        used_separation=result.params.used_separation_a,
        half_sets=result.half_sets.found if result.half_sets else None,
        half_sets_lines=result.half_sets.lines() if result.half_sets else [],
        examples=[figure.name for figure in shown],
        rejected=words[1],
        outliers=_with_rows(outliers(result)) if len(result.rejected) else NO_OUTLIERS,
        micrographs=_micrographs(result, words, figures),
        frame=result.frame_word,
        **_inputs(result),
    )


def words_for(result: ParticleOutcome) -> tuple[str, str]:
    """How the particles that stay and the others are called: a repair keeps all."""
    return ("best", "duplicates") if result.repaired_halves is not None else ("kept", "rejected")


def advice_for_page(result: ParticleOutcome) -> Advice | None:
    """Returns what the distances suggest, of many particles those of some micrographs; None if they are not known in Å."""
    if not result.centres.in_angstrom:
        return None
    return advise_on_sample(
        result.coordinates_a,
        result.micrograph_of,
        result.kept,
        result.analysis.suggestion,
        result.params.used_separation_a,
        MAX_SAMPLED,
        scores=result.selection.ranking.scores,
        priority=result.selection.ranking.priority,
        threads=result.params.threads,
    )


def advised(result: ParticleOutcome, advice: Advice | None, after_word: str) -> list[Figure]:
    """The distances, and what each separation would keep; none where distances are not known."""
    if advice is None:
        return []
    separation = result.params.used_separation_a
    return [
        distances.draw(distances.distances(advice, separation, after_word)),
        kept.draw(kept.kept(advice, separation, len(result.kept))),
    ]


def _compared(result: ParticleOutcome) -> list[Figure]:
    """Figures that compare the inputs."""
    matrix, combinations, pairs = pickers.pickers(result), found_by.found_by(result), scores.score_pairs(result)
    return [
        *([pickers.draw(matrix)] if matrix else []),
        *([found_by.draw(combinations)] if combinations else []),
        *([scores.draw(pairs)] if matrix and pairs else []),
    ]


def _examples(result: ParticleOutcome, words: tuple[str, str]) -> list[Figure]:
    return [example_panels.draw(example, words) for example in examples(result)] if result.centres.in_angstrom else []


def _inputs(result: ParticleOutcome) -> dict[str, Any]:
    """Tables of the inputs and of pairs of them."""
    n = len(result.sources)
    return {
        "inputs": n,
        "compared": min(n, pickers.MAX_SHOWN),
        "pickers": pairs_of_inputs(result),
        "sources": [_source(result, i) for i in range(min(n, MAX_INPUTS))],
        "more_sources": max(0, n - MAX_INPUTS),
    }


def pairs_of_inputs(result: ParticleOutcome) -> list[tuple[object, ...]]:
    """A row for each pair of inputs; numbers of particles are those in micrographs that both have."""
    data, sets = pickers.pickers(result), result.analysis.found_by
    if data is None:
        return []
    shared = result.analysis.sets_in_shared
    similar = None if sets is None or shared is None else jaccard(sets, shared)
    n = len(data.names)
    return [
        (
            data.names[i],
            data.names[j],
            int(data.micrographs[i, j]),
            *(int(numbers[pair]) for pair in ((i, j), (j, i)) for numbers in (data.particles, data.overlaps)),
            "" if similar is None else round(float(similar[i, j]), 4),
        )
        for i in range(n)
        for j in range(i + 1, n)
    ]


def _with_rows(found: Outliers) -> dict[str, Any]:
    """Outliers in the form that the template uses."""
    rows = [(one.name, one.particles, one.rejected, round(one.percent, 1), round(one.excess, 1)) for one in found.micrographs]
    return {"rows": rows, "percent": found.percent, "emptied": found.emptied}


def _source(result: ParticleOutcome, i: int) -> tuple[object, ...]:
    source = result.sources[i]
    picks = source.picks
    kept_here = len(picks) if result.repaired_halves is not None else int(result.kept_of(i).sum())
    used = pixel_size_words(source.pixel_sizes), score_words(source.score)
    return picks.label, picks.format, len(picks), kept_here, len(picks.micrographs), *used


def _parameters(result: ParticleOutcome) -> list[tuple[str, str, str]]:
    """Each parameter, its value, and what was used where the value leaves it open."""
    used = used_values(result)
    return [(name, str(value), used.get(name, str(value))) for name, value in result.params.used().items()]


def _micrographs(result: ParticleOutcome, words: tuple[str, str], figures: Sequence[Figure]) -> LongTable:
    """All micrographs, those with the most rejected particles first, with drawings of as many as the page has room for."""
    n = np.bincount(result.micrograph_of, minlength=result.n_micrographs)
    rejected = np.bincount(result.micrograph_of[result.rejected], minlength=result.n_micrographs)
    order = np.lexsort((np.arange(len(n)), -rejected))
    order = order[n[order] > 0]
    of = names_of_micrographs(result, order.tolist())
    names = [of[k] for k in order.tolist()]
    percent = np.round(100 * rejected[order] / n[order], 1)
    columns = [
        Column("particles", n[order].tolist()),
        Column(words[0], (n - rejected)[order].tolist()),
        Column(words[1], rejected[order].tolist()),
        Column(f"{words[1]} (%)", percent.tolist()),
    ]
    table = long_table(result.frame_word, names, columns, f"{result.frame_word}s.csv")
    return table.with_drawings(drawings(result, order[: table.rows].tolist(), names[: table.rows], room(figures, table.data)))

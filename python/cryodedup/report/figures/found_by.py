"""Number of particles found by each combination of inputs."""

from __future__ import annotations

from dataclasses import dataclass

from cryodedup.particles.result import ParticleOutcome
from cryodedup.report.figure import Figure, shortened, without_directories
from cryodedup.report.figures.pickers import MAX_SHOWN, names_of_inputs
from cryodedup.report.upset import upset
from cryodedup.text import count

MAX_COMBINATIONS = 24
"""Maximum number of combinations drawn, the most frequent ones."""


@dataclass(frozen=True, kw_only=True)
class FoundBy:
    """Number of sets of duplicates (a single particle is a set, too) by the inputs that found them.

    ``combinations``: for each, the indices of its inputs in ``names``, the most frequent first; ``sets``: their numbers of sets;
    ``left_out``: number of combinations that are not included.
    """

    names: tuple[str, ...]
    combinations: tuple[tuple[int, ...], ...]
    sets: tuple[int, ...]
    left_out: int


def found_by(result: ParticleOutcome) -> FoundBy | None:
    """The data from a result; None if sets are not known."""
    sets = result.analysis.found_by or {}
    chosen = [(sources, number) for sources, number in sets.items() if max(sources) < MAX_SHOWN][:MAX_COMBINATIONS]
    if not chosen:
        return None
    present = sorted({source for sources, _ in chosen for source in sources})
    row = {source: k for k, source in enumerate(present)}
    names = names_of_inputs(result)
    return FoundBy(
        names=tuple(names[source] for source in present),
        combinations=tuple(tuple(row[source] for source in sources) for sources, _ in chosen),
        sets=tuple(number for _, number in chosen),
        left_out=len(sets) - len(chosen),
    )


def draw(data: FoundBy) -> Figure:
    """Draws bars over dots."""
    drawing = upset(
        data.sets,
        data.combinations,
        shortened(without_directories(data.names)),
        "particles",
        "Bars: particles by the inputs that found them",
    )
    caption = (
        "Number of particles found by the inputs with an orange dot and by no other input. A set of duplicates counts as one particle."
    )
    caption += (
        f" Not shown: {count(data.left_out, 'combination')} that {'is' if data.left_out == 1 else 'are'} rarer, or of further inputs."
        if data.left_out
        else ""
    )
    return Figure("found_by", (drawing,), caption)

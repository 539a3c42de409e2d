"""``summary.json`` of a search for duplicate particles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryodedup import _core
from cryodedup.formats.output import Written
from cryodedup.particles.analysis.consensus import Sets
from cryodedup.particles.result import ParticleOutcome, Source

SCHEMA = "cryodedup.particles/1"
MAX_COMBINATIONS = 1000
"""Maximum number of combinations of inputs listed, the most frequent ones; the others are added up."""


def summarise(found: ParticleOutcome, written: Written) -> dict[str, Any]:
    """The content of ``summary.json``; ``schema`` gives its version."""
    analysis, repaired = found.analysis, found.repaired_halves is not None
    n, rejected = len(found.kept), len(found.rejected)
    parameters = {key: str(value) if isinstance(value, Path) else value for key, value in found.params.used().items()}
    return {
        "schema": SCHEMA,
        "cryodedup": _core.__version__,
        "parameters": parameters,
        "dimensions": found.coordinates_a.shape[1],
        "shift_key": found.centres.shift_key,
        "particles": n,
        "kept": n if repaired else n - rejected,
        "rejected": 0 if repaired else rejected,
        "duplicates": rejected - found.selection.outvoted - found.selection.below_min_score,
        "outvoted": found.selection.outvoted,
        "below_min_score": found.selection.below_min_score,
        "suggestion": analysis.suggestion.summary(),
        "half_sets": None if analysis.half_sets is None else analysis.half_sets.summary(),
        "found_by": None if analysis.found_by is None else _found_by(analysis.found_by),
        "repeated_uids": found.selection.repeated_uids,
        "micrographs": found.n_micrographs,
        "sources": [_source(found, i, source, written.written_to) for i, source in enumerate(found.sources)],
        "overlaps": _overlaps(found),
        "outputs": list(written.outputs),
        "warnings": list(found.warnings),
        "notes": [*found.notes, *written.notes, *([written.all_kept] if written.all_kept else [])],
        "times_s": {stage: round(seconds, 3) for stage, seconds in {**found.times_s, **written.times_s}.items()},
    }


def _source(found: ParticleOutcome, i: int, source: Source, written_to: Sequence[str]) -> dict[str, Any]:
    n = len(source.picks)
    kept = n if found.repaired_halves is not None else int(found.kept_of(i).sum())
    return {
        "input": source.picks.label,
        "format": source.picks.format,
        "particles": n,
        "kept": kept,
        "rejected": n - kept,
        "written_to": written_to[i] if written_to else None,
        "micrographs": len(source.picks.micrographs),
        "pixel_sizes": source.pixel_sizes,
        "score": source.score,
    }


def _overlaps(found: ParticleOutcome) -> dict[str, Any] | None:
    analysis = found.analysis
    if analysis.overlaps is None or analysis.in_shared is None:
        return None
    return {
        "inputs": [source.picks.label for source in found.sources],
        "shared_micrographs": found.joined.shared_micrographs.tolist(),
        "particles_in_shared_micrographs": analysis.in_shared.tolist(),
        "particles_with_a_neighbour": analysis.overlaps.tolist(),
    }


def _found_by(sets: Sets) -> list[dict[str, Any]]:
    listed = [{"inputs": list(sources), "sets": count} for sources, count in list(sets.items())[:MAX_COMBINATIONS]]
    others = list(sets.values())[MAX_COMBINATIONS:]
    return [*listed, {"inputs": "others", "sets": sum(others)}] if others else listed

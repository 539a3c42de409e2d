"""``summary.json`` of a search for duplicate particles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryodedup import _core
from cryodedup.formats.output import Written
from cryodedup.particles.analysis.consensus import Sets
from cryodedup.particles.inputs.scores import are_ranks_compared
from cryodedup.particles.result import ParticleOutcome, Source


def pixel_size_words(found: Sequence[Mapping[str, Any]]) -> str:
    """The pixel sizes of an input, and where they were found."""
    sizes: dict[str, list[str]] = {}
    for size in found:
        value = f"{size['pixel_size_a']:g} Å from {size['found_in']}" if size["pixel_size_a"] else size["found_in"]
        sizes.setdefault(value, []).append(size["of"])
    texts = [
        value if of in ([""], ["all"]) else f"{value} ({', '.join(of[:6])}{', ...' if len(of) > 6 else ''})" for value, of in sizes.items()
    ]
    return "; ".join(texts) or "not needed: no particles"


def score_words(score: Mapping[str, Any]) -> str:
    """The score of an input, and which way is better."""
    if score["field"] is None:
        return "none: an earlier particle is better"
    if score["field"] == "random":
        return f"random, seed {score['seed']}"
    missing = f", missing for {score['missing']:,}" if score["missing"] else ""
    return f"{score['field']}, {score['order']} is better{missing}"


def scales(found: ParticleOutcome) -> str:
    """How the scores of several inputs are compared."""
    return "ranks within each input" if are_ranks_compared(found.params, len(found.sources)) else "as given"


def used_values(found: ParticleOutcome) -> dict[str, str]:
    """Returns what stands for each parameter that was left open; more in the inputs' own pixel sizes and scores."""
    fields = sorted({str(source.score["field"]) for source in found.sources if source.score.get("field")})
    orders = sorted({str(source.score["order"]) for source in found.sources if source.score.get("order")})
    params = found.params
    used = {
        "shift_key": found.centres.shift_key,
        "normalize_scores": "rank" if are_ranks_compared(params, len(found.sources)) else "none",
        "score_field": ", ".join(fields) or "none: input order",
        "score_order": ", ".join(orders) or "none: input order",
        "match": "by uid, path and name, unless there is evidence against it",
    }
    return {name: value for name, value in used.items() if getattr(params, name) == "auto"}


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

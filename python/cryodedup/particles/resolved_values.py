"""In words, what was used where a parameter leaves it open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cryodedup.particles.inputs.scores import are_ranks_compared
from cryodedup.particles.result import ParticleOutcome


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

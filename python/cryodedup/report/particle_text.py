"""The sentences of the page about particles."""

from __future__ import annotations

import numpy as np

from cryodedup import _core
from cryodedup.particles.analysis.consensus import other_reasons
from cryodedup.particles.inputs.scores import are_ranks_compared
from cryodedup.particles.result import ParticleOutcome
from cryodedup.particles.summary import scales
from cryodedup.text import count


def verdict(result: ParticleOutcome) -> str:
    """Numbers of particles, kept and rejected ones, the number of micrographs, and the criterion."""
    n, rejected = len(result.kept), len(result.rejected)
    at = f"at {result.criterion}"
    where = f"{count(n, 'particle')} in {count(result.n_micrographs, result.frame_word)}"
    if not rejected:
        return f"No duplicates among {where} {at}: all are kept." if n else f"There are no particles in {_first_inputs(result)}."
    if result.repaired_halves is not None:
        return f"{where}: all are kept, {rejected:,} of them duplicates {at}; {_moved(result):,} were moved to the other half-set."
    others = other_reasons(result.selection.outvoted, result.params.min_votes, result.selection.below_min_score)
    return f"{where}: {n - rejected:,} kept, {rejected:,} rejected ({100 * rejected / max(1, n):.1f} %) {at}{others}."


def other_rule(result: ParticleOutcome) -> str:
    """Returns what a run did other than to keep the best of each set of duplicates by distance alone; empty: nothing."""
    params = result.params
    if result.repaired_halves is not None:
        return "keeps all particles and repairs the half-sets"
    if params.remove_entirely:
        return "removes every particle that has a duplicate"
    if params.min_votes > 1:
        return f"also removes particles that fewer than {params.min_votes} inputs found"
    return "also removes particles that have the uid of another particle" if result.selection.repeated_uids else ""


def _first_inputs(result: ParticleOutcome) -> str:
    return result.sources[0].picks.label if len(result.sources) == 1 else f"the {len(result.sources)} inputs"


def used_lines(result: ParticleOutcome) -> list[tuple[str, str]]:
    """Returns what was used: a word and its value for each."""
    centres = {
        "none": "the stored coordinates",
        "alignments3D": "coordinates minus the shifts of the 3D alignment",
        "alignments2D": "coordinates minus the shifts of the 2D alignment",
    }
    params, lines = result.params, [("duplicates", f"at {result.criterion}")]
    if rule := other_rule(result):
        lines.append(("rule", f"this run {rule}"))
    lines.append(("centres", centres[result.centres.shift_key]))
    if params.priority == "input":
        lines.append(("preferred", "particles of earlier inputs"))
    lines.append(("scores", scales(result)))
    if len(result.sources) > 1:
        shared = result.joined.shared_micrographs
        of_all = int(shared[np.triu_indices(len(shared), 1)].min(initial=shared.max(initial=0)))
        how = "by uid, path and name" if params.match == "auto" else f"by {params.match}"
        lines.append(
            (
                f"{result.frame_word}s",
                f"{result.n_micrographs:,} in total, matched {how}; each pair of inputs has at least {of_all:,} in common",
            )
        )
    if result.half_sets is not None:
        one, two = result.half_sets.found.sizes
        lines.append(("half-sets", f"{one:,} and {two:,} particles"))
    return lines


def methods(result: ParticleOutcome) -> str:
    """A paragraph for a paper."""
    among = f"{len(result.sources)} sets of particles" if len(result.sources) > 1 else "the particles"
    sentences = [
        f"Duplicates among {among} were found with cryodedup {_core.__version__}.",
        f"{_criterion(result)} were considered duplicates.",
        _choice(result),
        *_votes(result),
        _outcome(result),
        *_across(result),
    ]
    return " ".join(sentences)


def _criterion(result: ParticleOutcome) -> str:
    """Which particles are duplicates."""
    shifts = {"none": "stored coordinates", "alignments3D": "coordinates corrected by 3D alignment shifts"}
    centre = shifts.get(result.centres.shift_key, "coordinates corrected by 2D alignment shifts")
    what = result.criterion.words(centre)
    repeated = result.selection.repeated_uids
    return f"{what}, and particles with the same unique identifier ({repeated:,})," if repeated else what


def _choice(result: ParticleOutcome) -> str:
    """Which of them was kept."""
    params = result.params
    if result.repaired_halves is not None:
        return (
            "All particles were kept, and those connected by duplicates were put into one half-set;"
            f" {count(_moved(result), 'particle')} changed {'its' if _moved(result) == 1 else 'their'} half-set."
        )
    if params.remove_entirely:
        return "All particles that have a duplicate were removed."
    fields = {str(source.score["field"]) for source in result.sources if source.score.get("field")}
    order = "in random order" if "random" in fields else f"from best to worst {' or '.join(sorted(fields))}" if fields else "in input order"
    if fields and are_ranks_compared(params, len(result.sources)):
        order += " (compared by rank within each set)"
    first = "set by set in the order of the inputs, and within a set " if params.priority == "input" else ""
    return f"Particles were considered {first}{order}; each was kept unless it was a duplicate of a particle kept before."


def _votes(result: ParticleOutcome) -> list[str]:
    votes, sources = result.params.min_votes, len(result.sources)
    return [f"Particles found in fewer than {votes} of {sources} inputs were removed as well."] if votes > 1 else []


def _outcome(result: ParticleOutcome) -> str:
    n, rejected, micrographs = len(result.kept), len(result.rejected), count(result.n_micrographs, result.frame_word)
    if result.repaired_halves is not None:
        return f"{rejected:,} of {n:,} particles in {micrographs} were duplicates."
    return f"{rejected:,} of {n:,} particles in {micrographs} were removed."


def _across(result: ParticleOutcome) -> list[str]:
    if result.half_sets is None:
        return []
    pairs = result.half_sets.found.pairs_across
    return [f"{count(pairs, 'pair')} of duplicates {'was' if pairs == 1 else 'were'} split between the half-sets of the input."]


def _moved(result: ParticleOutcome) -> int:
    """How many particles changed their half-set."""
    return 0 if result.half_sets is None else result.half_sets.moved or 0

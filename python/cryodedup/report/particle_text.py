"""What the page about particles says in sentences."""

from __future__ import annotations

from cryodedup import _core
from cryodedup.particles.analysis.consensus import outvoted_words
from cryodedup.particles.analysis.half_sets import half_set_verdict
from cryodedup.particles.result import ParticleResult
from cryodedup.words import count


def half_set_sentence(result: ParticleResult) -> str:
    """What half-sets show, if it is bad."""
    found = result.half_sets()
    if found is None or found.grade == "none":
        return ""
    text = half_set_verdict(result)
    return f"{text[0].upper()}{text[1:]}."


def verdict(result: ParticleResult) -> str:
    """How many, kept, rejected, in how many micrographs, at what distance."""
    n, rejected = len(result.kept), len(result.rejected)
    at = f"{result.params.min_separation_a:g} Å" if result.params.min_separation_a > 0 else "equal coordinates"
    where = f"{count(n, 'pick')} in {count(result.n_micrographs, 'micrograph')}"
    if result.repaired_halves is not None:
        moved = int((result.repaired_halves != result.halves).sum())
        return f"{where}: all stay, {rejected:,} of them duplicates at {at}; {moved:,} were moved to the other half-set."
    outvoted = outvoted_words(result.outvoted, result.params.min_votes)
    return f"{where}: {n - rejected:,} kept, {rejected:,} rejected ({100 * rejected / max(1, n):.1f} %), at {at}{outvoted}."


def methods(result: ParticleResult) -> str:
    """A paragraph for a paper."""
    params = result.params
    n, rejected = len(result.kept), len(result.rejected)
    shifts = {"none": "stored coordinates", "alignments3D": "coordinates corrected by 3D alignment shifts"}
    centre = shifts.get(result.shift_key, "coordinates corrected by 2D alignment shifts")
    sources = f"{len(result.sources)} sets of picks" if len(result.sources) > 1 else "the picks"
    if params.min_separation_a > 0:
        what = f"Particles of one micrograph whose centres ({centre}) lay within {params.min_separation_a:g} Å of each other"
    else:
        what = f"Particles of one micrograph with equal {centre}"
    if params.undo_symmetry_expansion:
        what = "Copies that a symmetry expansion made of one particle"
    if result.repeated_uids:
        what += f", and particles of one unique identifier ({result.repeated_uids:,}),"
    fields = {str(source.score["field"]) for source in result.sources if source.score.get("field")}
    best = "one, at random," if "random" in fields else f"the best by {' or '.join(sorted(fields))}" if fields else "the first"
    if fields and (params.normalize_scores == "rank" or (params.normalize_scores == "auto" and len(result.sources) > 1)):
        best += " (compared by their ranks in each set)"
    if params.priority == "input":
        best = f"that of the earliest set of picks, and among these {best}"
    greedily = "in their order" if best == "the first" else "from the best to the worst"
    rule = "all of them were removed" if params.remove_entirely else f"{best} of each was kept (greedily, {greedily})"
    if result.repaired_halves is not None:
        moved = int((result.repaired_halves != result.halves).sum())
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
    half_sets = result.half_sets()
    audit = f" {half_sets.pairs_across:,} duplicate pairs lay across the half-sets of the input." if half_sets else ""
    found = f"Duplicates among {sources} were found with cryodedup {_core.__version__}"
    return f"{found}. {what} were taken as duplicates; {rule}.{votes}{ending}{audit}"

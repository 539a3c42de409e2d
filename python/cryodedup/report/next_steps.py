"""What to do with a result: the file to go on with, the command to run."""

from __future__ import annotations

import shlex

from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.names import named
from cryodedup.particles.analysis.separation import Suggestion
from cryodedup.particles.result import ParticleOutcome
from cryodedup.report.page import Origin

COORDINATES = "coordinates"


def after_particles(result: ParticleOutcome, origin: Origin) -> list[str]:
    """Steps after a job among particles."""
    if result.repaired_halves is not None:
        steps = _to_programs(origin, "_repaired", "particles")
        return [*steps, "Refine again with the half-sets of this file. It holds all particles."] if steps else []
    if not len(result.kept):
        return ["There are no particles in the input: check that it is the file you meant."]
    if not len(result.rejected):
        return _other_separation(result) or ["There is nothing to remove: go on with the files you have."]
    if not result.kept.any():
        return [*_other_separation(result), "No particle is kept: check the parameters and the files."]
    return [
        *_refine_again(result),
        *_other_separation(result),
        *([f"{origin.all_kept[0].upper()}{origin.all_kept[1:]}."] if origin.all_kept else []),
        *_to_programs(origin, "_kept", _what(result)),
        *_later_files(origin, "other files of these particles, such as those of a later job"),
    ]


def after_micrographs(result: MicrographOutcome, origin: Origin) -> list[str]:
    """Steps after a job among micrographs."""
    if result.withheld:
        return ["Check the pairs below first: the files of the kept and the removed micrographs were not written."]
    doubtful = any(pair.shot_agreement == "contradicted" for pair in result.pairs)
    look = ["Check the first pairs below: other shots of the same holes contradict some of them."] if doubtful else []
    if result.kept.all():
        return [*look, "There is nothing to remove: go on with the files you have."]
    return [
        *look,
        *_to_programs(origin, "_kept", "micrographs"),
        *_later_files(origin, "files of the movies, or of particles already picked"),
    ]


def _what(result: ParticleOutcome) -> str:
    """Returns what RELION calls the rows: coordinates as long as nothing was extracted."""
    return COORDINATES if any(source.picks.format == "picks" for source in result.sources) else "particles"


def _refine_again(result: ParticleOutcome) -> list[str]:
    audit = result.half_sets
    if audit is None or audit.found.grade == "none" or audit.doubt is not None:
        return []
    return ["Refine the kept particles again: duplicates across the half-sets raised the FSC of the last refinement."]


def _other_separation(result: ParticleOutcome) -> list[str]:
    found, used = result.analysis.suggestion, result.params.used_separation_a
    if found.suggested_a is None or _in_gap(found, used) or result.params.undo_symmetry_expansion:
        return []
    return [
        f"Consider {named('min_separation_a', format(found.suggested_a, '.0f'))}: distances of duplicates end at"
        f" {found.first_descent_end_a:.0f} Å, and those"
        f" of neighbours start at {found.second_descent_start_a:.0f} Å; {used:g} Å was used."
    ]


def _in_gap(found: Suggestion, used: float) -> bool:
    return (found.first_descent_end_a or 0.0) <= used <= (found.second_descent_start_a or float("inf"))


def _to_programs(origin: Origin, word: str, what: str) -> list[str]:
    """Which file which program takes."""
    groups = origin.ending(f"{word}.csg")
    others = [
        name for name in origin.outputs if word in name and not name.startswith("figures/") and not name.endswith((".cs", ".csg", ".star"))
    ]
    folders = sorted({f"{name.partition('/')[0]}/" for name in others if "/" in name})
    stars = [name for name in origin.ending(f"{word}.star") if "/" not in name]
    if sets := origin.ending("optimisation_set.star"):
        stars, what = sets, "optimisation set"
    if origin.merged:
        stars, others, folders = [], [], []
    lists = [name for name in others if "/" not in name]
    folders = [folder for folder in folders if f"{folder[:-1]}.star" not in stars]  # an index names what is in its folder
    return [
        *([f"RELION: give {_listed(stars)} to the next job as its input {what}."] if stars else []),
        *([f"CryoSPARC: import {_listed(groups)} with the job Import Result Group."] if groups else []),
        *([f"Give {_listed([*folders, *lists])} to the next job."] if folders or lists else []),
    ]


def _later_files(origin: Origin, what: str) -> list[str]:
    if not origin.directory:
        return []
    return [f"To apply the same selection to {what}, run: cryodedup apply {shlex.quote(origin.directory)} FILE -o DIRECTORY"]


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else ""]))

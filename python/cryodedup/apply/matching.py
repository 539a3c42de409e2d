"""The verdict of an earlier run on each row of a file, and the identity it was found by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.apply.earlier import ChosenMicrographs, ChosenParticles, Earlier
from cryodedup.apply.places import TOLERANCE, by_place
from cryodedup.apply.rows import FileRows
from cryodedup.apply.verdicts import BOTH, KEPT, REJECTED, UNKNOWN, Verdicts, combine, look_up
from cryodedup.errors import InputError
from cryodedup.formats.star import TableColumns, open_star
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.identity import unify
from cryodedup.particles.inputs.micrograph_names import normalised_path
from cryodedup.particles.inputs.picks import Micrograph
from cryodedup.particles.outputs.output import Output
from cryodedup.particles.outputs.star import StarOutput
from cryodedup.words import shown

IMAGE = "rlnImageName"
UID, PATH, NAME, PLACE, SOURCE = "uid", "path", "name", "place", "sym_expand/src_uid"


@dataclass(frozen=True)
class Match:
    """The verdicts on the rows of a file.

    Attributes
    ----------
    by
        How many rows were found by which identity.
    name_example
        A micrograph of the file and the one of the result that it was matched with by name alone.
    versions
        Mask of the rows of micrographs that were removed as versions of an exposure.
    """

    verdicts: Verdicts
    by: dict[str, int]
    name_example: tuple[str, str] | None = None
    versions: NDArray[np.bool_] | None = None


def by_micrographs(chosen: ChosenMicrographs, rows: FileRows) -> Match:
    """By the micrograph of each row: by CryoSPARC's uid, by path, or by name."""
    if rows.lists == "uids":
        verdicts = _by_exposure_uid(chosen, rows)
        return Match(verdicts, _counted({UID: verdicts != UNKNOWN}))
    is_version = _are_versions(chosen, rows.micrographs)
    of_each, by, name_example = _of_micrographs(chosen, rows, is_version)
    of_row = np.array(by, object)[rows.micrograph_of]
    counted = _counted({how: of_row == how for how in (UID, PATH, NAME)})
    return Match(of_each[rows.micrograph_of], counted, name_example, is_version[rows.micrograph_of])


def _are_versions(chosen: ChosenMicrographs, micrographs: Sequence[Micrograph]) -> NDArray[np.bool_]:
    paths = {normalised_path(one.name) for one in chosen.versions}
    uids = {one.uid for one in chosen.versions if one.uid is not None}
    return np.array([one.uid in uids or normalised_path(one.name) in paths for one in micrographs], bool)


def _of_micrographs(
    chosen: ChosenMicrographs, rows: FileRows, is_version: NDArray[np.bool_]
) -> tuple[Verdicts, list[str], tuple[str, str] | None]:
    """The verdict on each micrograph of a file, what it was found by, and an example of those found by name."""
    verdicts = np.where(is_version, REJECTED, UNKNOWN).astype(np.uint8)
    by = [PATH if version else "" for version in is_version]
    other = np.flatnonzero(~is_version).tolist()
    known, asked = unify([(chosen.label, chosen.micrographs), (rows.label, [rows.micrographs[i] for i in other])]).numbers
    at = {number: k for k, number in enumerate(known)}
    name_example = None
    for i, number in zip(other, asked, strict=True):
        if number in at:
            same = chosen.micrographs[at[number]]
            verdicts[i], by[i] = chosen.verdicts[at[number]], _identity(same, rows.micrographs[i])
            if by[i] == NAME and name_example is None:
                name_example = (rows.micrographs[i].name, same.name)
    return verdicts, by, name_example


def _identity(first: Micrograph, second: Micrograph) -> str:
    if first.uid is not None and first.uid == second.uid:
        return UID
    return PATH if normalised_path(first.name) == normalised_path(second.name) else NAME


def _by_exposure_uid(chosen: ChosenMicrographs, rows: FileRows) -> Verdicts:
    assert rows.uids is not None
    known = [(one.uid, verdict) for one, verdict in zip(chosen.micrographs, chosen.verdicts.tolist(), strict=True) if one.uid is not None]
    known += [(one.uid, REJECTED) for one in chosen.versions if one.uid is not None]
    return look_up(np.array([uid for uid, _ in known], np.uint64), np.array([verdict for _, verdict in known], np.uint8), rows.uids)


def by_rows_of_others(rows: FileRows, others: Sequence[tuple[FileRows, Verdicts]]) -> Match:
    """Of particles without a location, by uid from files that have them with one: the verdicts there."""
    verdicts = np.zeros(len(rows), np.uint8)
    for other, known in others:
        if rows.uids is not None and other.uids is not None and other.lists == "particles":
            verdicts = combine(verdicts, look_up(other.uids, known, rows.uids))
    return Match(verdicts, _counted({UID: verdicts != UNKNOWN}))


def by_particles(earlier: Earlier, rows: FileRows, params: ParticleParams) -> Match:
    """By uid where the file and the result have any in common; else by place, and by the name of the image what this leaves undecided."""
    verdicts = _by_uid(earlier.particles, rows.uids, len(rows))
    expanded = np.where(verdicts == UNKNOWN, _by_uid(earlier.particles, rows.source_uids, len(rows)), UNKNOWN)
    if (verdicts | expanded).any():
        return Match(verdicts | expanded, _counted({UID: verdicts != UNKNOWN, SOURCE: expanded != UNKNOWN}))
    if rows.picks is None:
        return Match(verdicts, {})
    verdicts = _by_places(earlier.particles, rows, params)
    named = _by_image(earlier.particles, rows, verdicts == BOTH)
    return Match(
        np.where(named == UNKNOWN, verdicts, named), _counted({PLACE: (verdicts != UNKNOWN) & (named == UNKNOWN), IMAGE: named != UNKNOWN})
    )


def _by_uid(pairs: Sequence[ChosenParticles], uids: NDArray[np.uint64] | None, count: int) -> Verdicts:
    verdicts = np.zeros(count, np.uint8)
    if uids is None:
        return verdicts
    for chosen in pairs:
        if chosen.uids is not None:
            verdicts |= look_up(chosen.uids, chosen.verdicts, uids)
    verdicts[uids == 0] = UNKNOWN  # not set
    return verdicts


def _by_places(pairs: Sequence[ChosenParticles], rows: FileRows, params: ParticleParams) -> Verdicts:
    assert rows.picks is not None
    inputs = [*((chosen.label, chosen.micrographs) for chosen in pairs), (rows.label, rows.micrographs)]
    *known, asked = [np.asarray(numbers, np.uint32) for numbers in unify(inputs).numbers]
    verdicts = np.zeros(len(rows), np.uint8)
    for chosen, numbers in zip(pairs, known, strict=True):
        verdicts |= by_place(chosen, numbers[chosen.micrograph_of], rows.picks, asked[rows.micrograph_of], params)
    return verdicts


def _by_image(pairs: Sequence[ChosenParticles], rows: FileRows, wanted: NDArray[np.bool_]) -> Verdicts:
    """The verdicts on RELION's images of the wanted rows; one image is one particle."""
    verdicts = np.zeros(len(rows), np.uint8)
    asked = _images(rows.output) if wanted.any() else None
    if asked is None:
        return verdicts
    known: dict[str, int] = {}
    for chosen in pairs:
        for pick, verdict in zip(chosen.picks, (KEPT, REJECTED), strict=True):
            for name in _images(pick.output) or ():
                known[name] = known.get(name, UNKNOWN) | verdict
    for row in np.flatnonzero(wanted).tolist():
        verdict = known.get(asked[row], UNKNOWN)
        verdicts[row] = verdict if verdict != BOTH else UNKNOWN
    return verdicts


def _images(output: Output) -> list[str] | None:
    """The name of the image of each row of a STAR file that has them."""
    if not isinstance(output, StarOutput) or IMAGE not in output.table.labels:
        return None
    (file,) = open_star([output.file.path], names=(IMAGE,))
    table = next(table for table in file.tables if table.start == output.table.start)
    index, names = TableColumns(file, table).names(IMAGE)
    return [names[i] for i in index]


def _counted(found: dict[str, NDArray[np.bool_]]) -> dict[str, int]:
    return {how: int(rows.sum()) for how, rows in found.items() if rows.any()}


def refuse_unmatched(earlier: Earlier, rows: FileRows, match: Match) -> None:
    """Raises InputError if the result decides no row."""
    directory, of = earlier.directory, earlier.of
    if not len(rows):
        raise InputError(f"{rows.label}: found no rows, expected particles or micrographs")
    if (match.verdicts == UNKNOWN).all():
        raise InputError(f"{rows.label}: {_nothing_in_common(directory, rows, of)}")
    if not ((match.verdicts == KEPT) | (match.verdicts == REJECTED)).any():
        raise InputError(
            f"{rows.label}: found {int((match.verdicts == BOTH).sum()):,} particles at the place of a kept and of a rejected one of"
            f" {directory}, and no others; expected some that can be told apart: run cryodedup particles on this file itself"
        )


def _nothing_in_common(directory: Path, rows: FileRows, of: str) -> str:
    if of == "micrographs" and rows.lists == "uids":
        return (
            f"found no names of micrographs, and no uid of {directory}; expected exposures, or particles with location fields: name the"
            " passthrough file, too, or the .csg of the job"
        )
    if of == "particles" and rows.picks is None:
        hint = "" if isinstance(rows.output, StarOutput) else ": name the passthrough file, too, or the .csg of the job"
        return f"found no uid of {directory} and no coordinates, expected one of them{hint}"
    first = f" (its first: {shown(rows.micrographs[0].name)})" if rows.micrographs else ""
    if of == "micrographs":
        return f"found none of its {len(rows.micrographs):,} micrographs in {directory}{first}; expected files of the same project"
    return (
        f"found none of its {len(rows):,} particles in {directory}, by uid or by micrograph{first} and coordinates (to {TOLERANCE} px);"
        " expected files of the same particles"
    )

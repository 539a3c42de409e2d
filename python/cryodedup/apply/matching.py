"""The verdict of an earlier run on each row of a file, and by which identity the row was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.apply.earlier import ChosenMicrographs, ChosenParticles, Earlier
from cryodedup.apply.partners import Seen, joined
from cryodedup.apply.positions import TOLERANCE, Identity, by_position, same_positions
from cryodedup.apply.rows import FileRows
from cryodedup.apply.verdicts import BOTH, KEPT, NOTHING, REJECTED, UNKNOWN, Verdicts, combine, look_up
from cryodedup.errors import InputError
from cryodedup.formats.output import Output
from cryodedup.formats.star import TableColumns, open_star
from cryodedup.formats.star_output import StarOutput
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.identity import same_as, unify
from cryodedup.particles.inputs.micrograph_names import normalised_path
from cryodedup.particles.inputs.picks import Micrograph, Picks
from cryodedup.text import count, shown

IMAGE = "rlnImageName"
MOSTLY, BY_CHANCE, STEPS = 0.9, 0.25, ((1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (2.0, -1.0))
"""If less than the first share of the rows is found, the number that would be found one or two pixels further, by chance, is counted; the
file is refused if it is more than the second share of those found."""
UID, PATH, NAME, POSITION, SOURCE = "uid", "path", "name", "place", "sym_expand/src_uid"


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
    seen
        Which particles of the result the rows are.
    """

    verdicts: Verdicts
    by: dict[str, int]
    name_example: tuple[str, str] | None = None
    versions: NDArray[np.bool_] | None = None
    seen: Seen | None = None
    warnings: tuple[str, ...] = ()


def by_micrographs(chosen: ChosenMicrographs, rows: FileRows, params: ParticleParams) -> Match:
    """By the micrograph of each row: by CryoSPARC's uid, by path, or by name."""
    if rows.lists == "uids":
        verdicts = _by_exposure_uid(chosen, rows)
        return Match(verdicts, _counted({UID: verdicts != UNKNOWN}))
    is_version = _are_versions(chosen, rows.micrographs)
    of_each, by, same, warnings = _of_micrographs(chosen, rows, is_version, params)
    named = next((i for i, how in enumerate(by) if how == NAME), None)
    name_example = None if named is None else (rows.micrographs[named].name, chosen.micrographs[same[named]].name)
    of_row = np.array(by, object)[rows.micrograph_of]
    counted = _counted({how: of_row == how for how in (UID, PATH, NAME)})
    warnings += _lost(chosen, rows, of_each, same)
    return Match(of_each[rows.micrograph_of], counted, name_example, is_version[rows.micrograph_of], warnings=tuple(warnings))


def _lost(chosen: ChosenMicrographs, rows: FileRows, verdicts: Verdicts, same: Mapping[int, int]) -> list[str]:
    """A warning about removed micrographs whose kept partner has no rows in the file: nothing of their area remains in it."""
    present = {normalised_path(chosen.micrographs[k].name) for i, k in same.items() if verdicts[i] == KEPT}
    removed = [normalised_path(chosen.micrographs[k].name) for i, k in same.items() if verdicts[i] == REJECTED]
    lost = [name for name in removed if name in chosen.kept_for and chosen.kept_for[name] not in present]
    if not lost:
        return []
    return [
        f"{rows.label}: {count(len(lost), 'micrograph')} removed as duplicates of micrographs that have no rows in this file, such as"
        f" {shown(lost[0])}, a duplicate of {shown(chosen.kept_for[lost[0]])}: the file then has no rows of these areas; to keep one of"
        " each, run cryodedup micrographs on your selection"
    ]


def _are_versions(chosen: ChosenMicrographs, micrographs: Sequence[Micrograph]) -> NDArray[np.bool_]:
    paths = {normalised_path(one.name) for one in chosen.versions}
    uids = {one.uid for one in chosen.versions if one.uid is not None}
    return np.array([one.uid in uids or normalised_path(one.name) in paths for one in micrographs], bool)


def _of_micrographs(
    chosen: ChosenMicrographs, rows: FileRows, is_version: NDArray[np.bool_], params: ParticleParams
) -> tuple[Verdicts, list[str], dict[int, int], list[str]]:
    """The verdict on each micrograph of a file, what it was found by, its number among the chosen ones; and warnings."""
    verdicts = np.where(is_version, REJECTED, UNKNOWN).astype(np.uint8)
    by = [PATH if version else "" for version in is_version]
    others = np.flatnonzero(~is_version).tolist()
    found, warnings = same_as(rows.label, [rows.micrographs[i] for i in others], chosen.label, chosen.micrographs, params.match)
    same, undecided = {}, []
    for i, candidates in zip(others, found, strict=True):
        if len({int(chosen.verdicts[k]) for k in candidates}) > 1:
            undecided.append(rows.micrographs[i].name)
        elif candidates:
            same[i] = candidates[0]
    for i, k in same.items():
        verdicts[i], by[i] = chosen.verdicts[k], _identity(chosen.micrographs[k], rows.micrographs[i])
    if undecided:
        warnings.append(
            f"{count(len(undecided), 'micrograph')} with both a kept and a removed match in {chosen.label}, such as {shown(undecided[0])}:"
            " their rows are kept"
        )
    return verdicts, by, same, [f"{rows.label}: {warning}" for warning in warnings]


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
    """Looks particles without a location up by uid in files that give them one, and takes the verdicts from there."""
    verdicts = np.zeros(len(rows), np.uint8)
    for other, known in others:
        if rows.uids is not None and other.uids is not None and other.lists == "particles":
            verdicts = combine(verdicts, look_up(other.uids, known, rows.uids))
    return Match(verdicts, _counted({UID: verdicts != UNKNOWN}))


def by_particles(earlier: Earlier, rows: FileRows, params: ParticleParams) -> Match:
    """By uid if the file and the result have any in common; else by position, and for rows that this leaves undecided by the image name."""
    verdicts, seen = _by_uid(earlier.particles, rows.uids, len(rows))
    of_sources, seen_as_sources = _by_uid(earlier.particles, rows.source_uids, len(rows))
    expanded = np.where(verdicts == UNKNOWN, of_sources, UNKNOWN)
    if (verdicts | expanded).any():
        by = _counted({UID: verdicts != UNKNOWN, SOURCE: expanded != UNKNOWN})
        return Match(verdicts | expanded, by, seen=seen.or_else(seen_as_sources))
    if rows.picks is None:
        return Match(verdicts, {})
    found = _by_positions(earlier.particles, rows, params)
    named = _by_image(found, rows, found.verdicts == BOTH, params.threads)
    verdicts = np.where(named == UNKNOWN, found.verdicts, named)
    by = _counted({POSITION: (found.verdicts != UNKNOWN) & (named == UNKNOWN), IMAGE: named != UNKNOWN})
    return Match(verdicts, by, seen=found.seen, warnings=tuple(found.warnings))


def _by_uid(chosen: Sequence[ChosenParticles], uids: NDArray[np.uint64] | None, count: int) -> tuple[Verdicts, Seen]:
    """A uid of 0 is not set."""
    known, verdicts = np.concatenate([_uids(one) for one in chosen]), np.concatenate([one.verdicts for one in chosen])
    asked = np.full(count, NOTHING) if uids is None else np.where(uids == 0, NOTHING, uids)
    return look_up(known, verdicts, asked), Seen.of(known, verdicts, asked)


def _uids(chosen: ChosenParticles) -> NDArray[np.uint64]:
    return np.full(len(chosen.verdicts), NOTHING) if chosen.uids is None else np.where(chosen.uids == 0, NOTHING, chosen.uids)


@dataclass(frozen=True)
class _ByPosition:
    """Verdicts by position; ``pairs``: the earlier particles with the numbers of their micrographs, as in ``micrograph_of`` of the rows."""

    verdicts: Verdicts
    pairs: Sequence[tuple[ChosenParticles, NDArray[np.uint32]]]
    micrograph_of: NDArray[np.uint32]
    seen: Seen
    warnings: list[str]


def _by_positions(chosen: Sequence[ChosenParticles], rows: FileRows, params: ParticleParams) -> _ByPosition:
    assert rows.picks is not None
    matched = unify([*((one.label, one.micrographs) for one in chosen), (rows.label, rows.micrographs)], params.match)
    *known, asked = [np.asarray(numbers, np.uint32) for numbers in matched.numbers]
    pairs = [(one, numbers[one.micrograph_of]) for one, numbers in zip(chosen, known, strict=True)]
    micrograph_of = asked[rows.micrograph_of]

    def positions_of(picks: Picks) -> list[list[Identity]]:
        return [same_positions(one, numbers, picks, micrograph_of, params) for one, numbers in pairs]

    def verdicts_on(positions: Sequence[Sequence[Identity]]) -> Verdicts:
        return reduce(np.bitwise_or, [by_position(one, same, len(rows)) for one, same in zip(chosen, positions, strict=True)])

    positions = positions_of(rows.picks)
    verdicts = verdicts_on(positions)
    found = int((verdicts != UNKNOWN).sum())
    if 0 < found < MOSTLY * len(rows):
        by_chance = int(np.mean([(verdicts_on(positions_of(_moved(rows.picks, step))) != UNKNOWN).sum() for step in STEPS]))
        if by_chance > BY_CHANCE * found:
            raise InputError(
                kind="contradiction",
                path=rows.label,
                found=(
                    f"{found:,} of {count(len(rows), 'row')} at a position of the earlier result, but {by_chance:,} are"
                    " expected by chance: the coordinates have changed since that run, for example by extraction with"
                    " re-centring after a refinement"
                ),
                remedy="run cryodedup particles on this file",
            )
    seen = joined([_seen(one, same, len(rows)) for one, same in zip(chosen, positions, strict=True)])
    return _ByPosition(verdicts, pairs, micrograph_of, seen, [f"{rows.label}: {warning}" for warning in matched.warnings])


def _seen(chosen: ChosenParticles, positions: Sequence[Identity], count: int) -> Seen:
    nothing = Seen(np.zeros(len(chosen.verdicts), bool), np.full(count, -1, np.int64))
    return reduce(Seen.or_else, (Seen.of(known, chosen.verdicts, asked) for known, asked in positions), nothing)


def _moved(picks: Picks, step: Sequence[float]) -> Picks:
    position = tuple(column + by for column, by in zip(picks.position, (*step, 0.0), strict=False))
    return replace(picks, position=position, stored=position)


def _by_image(found: _ByPosition, rows: FileRows, wanted: NDArray[np.bool_], threads: int) -> Verdicts:
    """The verdicts on the wanted rows by RELION's images, among the particles at their position."""
    verdicts = np.zeros(len(rows), np.uint8)
    asked = _images(rows.output, threads) if wanted.any() else None
    if asked is None or rows.picks is None:
        return verdicts
    known: dict[tuple[str, int], list[tuple[tuple[float, ...], int]]] = {}
    for chosen, numbers in found.pairs:
        start = 0
        for pick, first, verdict in zip(chosen.picks, chosen.starts, (KEPT, REJECTED), strict=True):
            positions = list(zip(*(column.tolist() for column in pick.position), strict=True))
            names = (_images(pick.output, threads) or [])[first : first + len(pick)]
            for name, number, position in zip(names, numbers[start : start + len(pick)].tolist(), positions, strict=bool(names)):
                known.setdefault((name, number), []).append((position, verdict))
            start += len(pick)
    for row in np.flatnonzero(wanted).tolist():
        here = [float(column[row]) for column in rows.picks.position]
        near = [
            verdict
            for other, verdict in known.get((asked[row], int(found.micrograph_of[row])), [])
            if all(abs(a - b) <= TOLERANCE for a, b in zip(here, other, strict=False))
        ]
        verdicts[row] = near[0] if len(set(near)) == 1 else UNKNOWN
    return verdicts


def _images(output: Output, threads: int) -> list[str] | None:
    """The name of the image of each row of a STAR file that has them."""
    if not isinstance(output, StarOutput) or IMAGE not in output.table.labels:
        return None
    (file,) = open_star([output.file.path], names=(IMAGE,), threads=threads)
    table = next(table for table in file.tables if table.start == output.table.start)
    index, names = TableColumns(file, table).names(IMAGE)
    return [names[i] for i in index]


def _counted(found: dict[str, NDArray[np.bool_]]) -> dict[str, int]:
    return {how: int(rows.sum()) for how, rows in found.items() if rows.any()}


def refuse_unmatched(earlier: Earlier, rows: FileRows, match: Match) -> None:
    """Raises InputError if the result decides no row."""
    directory, of = earlier.directory, earlier.of
    if not len(rows):
        raise InputError(kind="missing", path=rows.label, found="no rows", expected="particles or micrographs")
    if (match.verdicts == UNKNOWN).all():
        raise _nothing_in_common(directory, rows, of)
    if not ((match.verdicts == KEPT) | (match.verdicts == REJECTED)).any():
        raise InputError(
            kind="contradiction",
            path=rows.label,
            found=(f"only particles that match both a kept and a rejected one of {directory} ({int((match.verdicts == BOTH).sum()):,})"),
            expected="some that match one",
            remedy="run cryodedup particles on this file",
        )


def _nothing_in_common(directory: Path, rows: FileRows, of: str) -> InputError:
    refused, whole = (
        partial(InputError, kind="contradiction", path=rows.label),
        "give the passthrough file as well, or only the .csg of the job",
    )
    if of == "micrographs" and rows.lists == "uids":
        return refused(
            found=f"no micrograph names, and no uid of {directory}",
            expected="exposures, or particles with location fields",
            remedy=whole,
        )
    if of == "particles" and rows.picks is None:
        hint = None if isinstance(rows.output, StarOutput) else whole
        return refused(found=f"no uid of {directory} and no coordinates", expected="one of them", remedy=hint)
    first = f" (its first: {shown(rows.micrographs[0].name)})" if rows.micrographs else ""
    if of == "micrographs":
        return refused(
            found=f"none of its {len(rows.micrographs):,} micrographs in {directory}{first}", expected="files of the same project"
        )
    how = f"by uid or by micrograph{first} and coordinates (within {TOLERANCE} px)"
    return refused(found=f"none of its {len(rows):,} particles in {directory}, {how}", expected="files of the same particles")

"""The whole job: read the earlier result and the files, match their rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from cryodedup.apply.earlier import Earlier, earlier_params, read_earlier, read_summary
from cryodedup.apply.matching import Match, by_micrographs, by_particles, by_rows_of_others, refuse_unmatched
from cryodedup.apply.partners import lost
from cryodedup.apply.result import AppliedChoice, with_stems
from cryodedup.apply.rows import FileRows, Lists, passthrough_of, read_rows
from cryodedup.apply.verdicts import UNKNOWN
from cryodedup.errors import InputError
from cryodedup.formats.cryosparc_output import DatasetOutput
from cryodedup.frozen import frozen
from cryodedup.params import Match as MicrographMatch
from cryodedup.params import ParticleParams
from cryodedup.progress import SILENT, Progress
from cryodedup.summary_file import SUMMARY


def apply_earlier(
    directory: Path,
    files: Path | str | Iterable[Path | str],
    *,
    flip_y: bool | None = None,
    match: MicrographMatch | None = None,
    threads: int = 0,
    progress: Progress = SILENT,
) -> AppliedChoice:
    """The choice for each file; see :func:`cryodedup.apply_choice`."""
    paths = _paths(files)
    progress.stage("reading")
    summary = read_summary(directory)
    params = earlier_params(directory / SUMMARY, summary)
    params = replace(params, match=match or params.match, flip_y=params.flip_y if flip_y is None else flip_y, threads=threads)
    earlier = read_earlier(directory, params, summary)
    partners = passthrough_of(paths, threads)
    alone = [path for path in paths if path not in partners.values()]
    positions = earlier.of == "particles"
    read = [read_rows(path, params, progress, positions=positions, with_it=[partners[path]] if path in partners else []) for path in alone]
    progress.stage("matching")
    judged = _judged(earlier, read, params)
    inputs = [*earlier.files, *paths, *(file for rows in read for file in rows.output.files)]
    applied = AppliedChoice(
        directory=directory,
        of=earlier.of,
        files=with_stems(judged, earlier.of),
        inputs=frozenset(Path(os.path.realpath(path)) for path in inputs),
    )
    return frozen(applied)


def _paths(files: Path | str | Iterable[Path | str]) -> list[Path]:
    paths = [Path(files)] if isinstance(files, str | PathLike) else [Path(file) for file in files]
    if not paths:
        raise InputError(kind="parameter", found="no files", expected="one or more files to apply the earlier result to")
    real = [os.path.realpath(path) for path in paths]
    repeated = next((path for i, path in enumerate(paths) if real[i] in real[:i]), None)
    if repeated is not None:
        raise InputError(kind="ambiguous", path=repeated, found="twice among the files", expected="once")
    return paths


def _judged(earlier: Earlier, read: Sequence[FileRows], params: ParticleParams) -> list[tuple[FileRows, Match]]:
    """The verdicts on the rows of each file; rows that have nothing but uids are looked up in the other files, too."""
    matches = _with_lost(earlier, read, [_match(earlier, rows, params) for rows in read])
    located = [(rows, match.verdicts) for rows, match in zip(read, matches, strict=True) if rows.lists == "particles"]
    judged = []
    for rows, first in zip(read, matches, strict=True):
        is_bare = rows.lists == "uids" and (first.verdicts == UNKNOWN).all()
        match = by_rows_of_others(rows, located) if is_bare else first
        refuse_unmatched(earlier, rows, match)
        judged.append((_settled(rows, "particles" if is_bare else earlier.of), match))
    return judged


def _with_lost(earlier: Earlier, read: Sequence[FileRows], matches: Sequence[Match]) -> list[Match]:
    """With warnings about rejected rows whose kept partner is in none of the files."""
    known = [(rows.label, match.verdicts, match.seen) for rows, match in zip(read, matches, strict=True) if match.seen is not None]
    warnings = lost(earlier.directory, earlier.particles, known)
    return [
        replace(match, warnings=(*match.warnings, warnings[rows.label])) if rows.label in warnings else match
        for rows, match in zip(read, matches, strict=True)
    ]


def _match(earlier: Earlier, rows: FileRows, params: ParticleParams) -> Match:
    if earlier.micrographs is not None:
        return by_micrographs(earlier.micrographs, rows, params)
    if rows.lists == "micrographs":
        raise InputError(
            kind="unsupported",
            path=rows.label,
            found=f"a list of micrographs, while {earlier.directory} is a result of cryodedup particles",
            expected="files of particles",
            remedy="for files of micrographs, give a result of cryodedup micrographs",
        )
    return by_particles(earlier, rows, params)


def _settled(rows: FileRows, lists: Lists) -> FileRows:
    """Returns what a dataset that says no more than uids has rows for, now that these were found."""
    if rows.lists != "uids" or not isinstance(rows.output, DatasetOutput):
        return rows
    kind = "particle" if lists == "particles" else "exposure"
    return replace(rows, lists=lists, output=replace(rows.output, kind=kind))

"""Picks of helices by their ends: in RELION's coordinate files two rows, the start and the end, are one filament."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from cryodedup.errors import InputError
from cryodedup.formats.output import ParticleRows
from cryodedup.names import named
from cryodedup.particles.inputs.picks import Picks, Scores

OPTION = named("start_end")
JOBS = "job.star", "run.job"
"""Where RELION notes the options of a job; the second until version 3."""
MAX_PARENTS = 4
"""Coordinate files lie below their job's folder, in the folders of their micrographs."""
_STARTS_ENDS = re.compile(r"^\s*(?:do_startend|Pick start-end coordinates helices\? ==)\s+[\"']?(\w+)", re.MULTILINE)
_TOPAZ = [
    re.compile(rf"^\s*{option}\s+[\"']?(?:Yes|true)\b", re.MULTILINE | re.IGNORECASE) for option in ("do_topaz_pick", "do_topaz_filaments")
]
"""RELION's version of Topaz gives the ends of filaments, too."""


def read_start_end(picks: Picks, files: Sequence[tuple[Path, int]], *, are_pairs: bool) -> Picks:
    """The picks as they are, or if ``are_pairs`` as filaments; ``files``: the coordinate files in their order, and their numbers of rows.

    Raises
    ------
    InputError
        The job or numbers of filaments say that rows are starts and ends, but ``are_pairs`` is not given; or it is, and a file has an odd
        number of rows.
    """
    if are_pairs:
        return _filaments(picks, files)
    job, says = _of_job([Path(picks.label), *(path for path, _ in files[:1])])
    if says:
        raise InputError(
            kind="unsupported",
            path=picks.label,
            found=f"starts and ends of helices, two rows for each, as {job} says",
            expected="particles",
            remedy=f"add {OPTION} to compare whole filaments",
        )
    filled = [rows for _, rows in files if rows]
    is_scored = picks.scores is not None and not np.isnan(picks.scores.values).all()
    if not is_scored and picks.filaments is not None and _are_ends(picks):
        raise InputError(
            kind="unsupported",
            path=picks.label,
            found="two rows without a score for each filament number",
            expected="particles: the rows are starts and ends of helices",
            remedy=f"add {OPTION} to compare whole filaments",
        )
    if job is None and filled and not is_scored and not any(rows % 2 for rows in filled):
        of_all = f" in all {len(filled):,} files" if len(filled) > 1 else ""
        picks.warnings.append(
            f"{picks.label}: an even number of picks without scores{of_all}: if they are starts and ends of helices"
            f" (RELION's manual picking), one end may be rejected without the other; in that case add {OPTION}"
        )
    return picks


def _are_ends(picks: Picks) -> bool:
    """Whether rows are pairs, each of a filament of its own."""
    assert picks.filaments is not None
    starts, ends = (np.stack([picks.micrograph_of, picks.filaments.filament_of], 1)[first::2] for first in (0, 1))
    return 0 < len(starts) == len(ends) == len(np.unique(starts, axis=0)) and bool((starts == ends).all())


def _of_job(paths: Sequence[Path]) -> tuple[Path | None, bool]:
    """The file of options of the job that wrote one of the files, and whether it says that rows are starts and ends; None if unknown."""
    known: Path | None = None
    for path in paths:
        beside = (folder / name for folder in islice(path.absolute().parents, MAX_PARENTS) for name in JOBS)
        job = next((file for file in beside if file.is_file()), None)
        if job is None:
            continue
        text = job.read_text("utf-8", "replace")
        found = _STARTS_ENDS.search(text)
        if found is None and not all(option.search(text) for option in _TOPAZ):
            continue
        known = job
        if found is None or found.group(1).lower() in ("yes", "true"):
            return job, True
    return known, False


def _filaments(picks: Picks, files: Sequence[tuple[Path, int]]) -> Picks:
    odd = next(((path, rows) for path, rows in files if rows % 2), None)
    if odd is not None:
        raise InputError(
            kind="malformed",
            path=odd[0],
            found=f"{odd[1]:,} rows",
            expected=f"an even number: a start and an end for each helix ({OPTION})",
        )
    if len(picks.position) != 2:
        raise InputError(
            kind="unsupported", path=picks.label, found="picks with z", expected=f"starts and ends of helices in micrographs ({OPTION})"
        )
    starts, ends = ([column[first::2] for column in picks.position] for first in (0, 1))
    middles = tuple((start + end) / 2 for start, end in zip(starts, ends, strict=True))
    scores = picks.scores
    return replace(
        picks,
        micrograph_of=np.ascontiguousarray(picks.micrograph_of[::2]),
        stored=middles,
        position=middles,
        half_vectors=tuple((end - start) / 2 for start, end in zip(starts, ends, strict=True)),
        pixel_size_of=None if picks.pixel_size_of is None else picks.pixel_size_of[::2],
        scores=None if scores is None else Scores(field=scores.field, values=(scores.values[::2] + scores.values[1::2]) / 2),
        filaments=None,
        output=ParticleRows(picks.output, np.repeat(np.arange(len(picks) // 2), 2)),
        where=lambda row: picks.where(2 * row),
        notes=[*picks.notes, f"{picks.label}: {len(picks):,} rows are the ends of {len(picks) // 2:,} filaments, which are counted here"],
    )


def refuse_mixture(picks: Sequence[Picks]) -> None:
    """Raises InputError for filaments beside particles."""
    paired = [bool(pick.half_vectors) for pick in picks]
    if any(paired) and not all(paired):
        other = picks[paired.index(False)]
        raise InputError(
            kind="unsupported",
            path=other.label,
            found=other.format,
            expected=f"RELION's coordinate files of starts and ends, as in {picks[paired.index(True)].label} ({OPTION})",
        )

"""The tables that are written beside the micrographs: what duplicates what, what overlaps, which are versions of one exposure."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import naming
from cryodedup.micrographs.blocks import window_distances
from cryodedup.micrographs.compare import Compared, Pair
from cryodedup.micrographs.exposures import Exposures
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.versions import Version
from cryodedup.params import MicrographParams
from cryodedup.text import cell_of

LISTING, OVERLAPS, VERSIONS, CCC = "duplicates.csv", "overlaps.csv", "versions.csv", "ccc.csv"
MEASURED = ["ccc", "ncc", "overlap", "z", "q", "shift_x_px", "shift_y_px", "rotation_deg", "scale"]
NAMED = ["hole", "shot", "pattern", "orientation"]


def write_listings(found: MicrographOutcome, directory: Path) -> None:
    """Writes all of them."""
    write_duplicates(found.exposures, found.duplicates, directory / LISTING)
    write_overlaps(found.exposures, found.overlaps, found.kept, directory / OVERLAPS)
    write_versions(found.names, found.versions, found.duplicates, directory / VERSIONS)
    if found.params.by_window:
        write_ccc(found.names, found.order, found.versions, found.compared, found.params, directory / CCC)


def write_duplicates(exposures: Exposures, duplicates: Iterable[Pair], path: Path) -> None:
    """One row for each pair whose second micrograph is removed."""
    rows = ([*_names(exposures, pair), pair.set, *_measured(exposures, pair)] for pair in duplicates)
    _write(path, ["Original", "Duplicate", "set", *MEASURED, *NAMED], rows)


def write_overlaps(exposures: Exposures, overlaps: Iterable[Pair], kept: NDArray[np.bool_], path: Path) -> None:
    """One row for each pair that shares too little to remove one; ``both_kept``: whether neither is removed for another reason."""
    rows = (
        [*_names(exposures, pair), "yes" if kept[pair.first] and kept[pair.second] else "no", *_measured(exposures, pair)]
        for pair in overlaps
    )
    _write(path, ["First", "Second", "both_kept", *MEASURED, *NAMED], rows)


def write_versions(names: Sequence[str], versions: Iterable[Version], duplicates: Iterable[Pair], path: Path) -> None:
    """One row for each version. ``duplicate_of``: the micrograph that is kept instead, if the exposure itself is removed."""
    original: dict[int, int] = {}
    for pair in duplicates:
        original.setdefault(pair.second, pair.first)
    cells = [cell_of(name) for name in names]
    rows = ([cells[one.kept], cells[one.version], one.kind, cells[original[one.kept]] if one.kept in original else ""] for one in versions)
    _write(path, ["Kept", "Version", "kind", "duplicate_of"], rows)


def write_ccc(
    names: Sequence[str],
    order: Sequence[int],
    versions: Iterable[Version],
    compared: Sequence[Compared],
    params: MicrographParams,
    path: Path,
) -> None:
    """One row a micrograph, in the order of exposure; a column for each distance, in which versions that were not compared do not count."""
    skipped = {one.version for one in versions} - {i for of_size in compared for i in of_size.members}
    once = [i for i in order if i not in skipped]
    distances = window_distances(params, len(once))
    at = {i: k for k, i in enumerate(once)}
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for of_size in compared:
        for i, j, ccc in of_size.window_ccc:
            found[i][at[j] - at[i]] = ccc
    rows = ([cell_of(names[i]), *(f"{found[i][d]:.4f}" if d in found[i] else "" for d in distances)] for i in order)
    _write(path, ["Micrograph", *(f"+{d}" for d in distances)], rows)


def _names(exposures: Exposures, pair: Pair) -> list[str]:
    return [cell_of(exposures.names[pair.first]), cell_of(exposures.names[pair.second])]


def holes_and_shots(exposures: Exposures, pair: Pair) -> tuple[str, str]:
    """The holes of a pair, and its shots, where the names give them."""
    first, second = exposures.acquisitions[pair.first], exposures.acquisitions[pair.second]
    holes = " ".join(dict.fromkeys(hole for hole in (first.hole, second.hole) if hole))
    return holes, " ".join(dict.fromkeys(shot for shot in (first.shot, second.shot) if shot))


def _measured(exposures: Exposures, pair: Pair) -> list[str]:
    holes, shots = holes_and_shots(exposures, pair)
    numbers = [f"{pair.ccc:.4f}", f"{pair.ncc:.4f}", f"{pair.overlap:.4f}", f"{pair.z:.2f}", f"{pair.q:.2e}"]
    numbers += [
        *(f"{round(shift, 1) + 0.0:.1f}" for shift in pair.shift_px),
        f"{round(pair.rotation_deg, 2) + 0.0:.2f}",
        f"{pair.scale:.4f}",
    ]
    return [*numbers, cell_of(holes), cell_of(shots), pair.shot_agreement, pair.orientation]


def _write(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with naming(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)

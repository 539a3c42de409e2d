"""The tables that are written beside the micrographs: what duplicates what, what overlaps, which are versions of one exposure."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import naming
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.blocks import window_distances
from cryodedup.micrographs.compare import Compared, Pair
from cryodedup.micrographs.exposures import Exposures
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.versions import Version
from cryodedup.params import MicrographParams
from cryodedup.text import cell_of

LISTING, OVERLAPS, VERSIONS, CCC = "duplicates.csv", "overlaps.csv", "versions.csv", "ccc.csv"
FORMATS = {
    "ccc": ".4f",
    "ncc": ".4f",
    "overlap": ".4f",
    "z": ".2f",
    "q": ".2e",
    "shift_x_px": ".1f",
    "shift_y_px": ".1f",
    "rotation_deg": ".2f",
    "scale": ".4f",
}
"""The columns of numbers, and how tables write them."""
WORDS = "hole", "shot", "shot_agreement", "orientation"


def values_of(acquisitions: Sequence[Acquisition], pair: Pair) -> dict[str, Any]:
    """Returns what is known of a pair, by the names of the columns: numbers of :data:`FORMATS`, and :data:`WORDS`.

    Holes and shots are those of both micrographs, where their names give them.
    """
    first, second = acquisitions[pair.first], acquisitions[pair.second]
    x, y = pair.shift_px
    return {
        **{name: getattr(pair, name) for name in ("ccc", "ncc", "overlap", "z", "q")},
        "shift_x_px": x,
        "shift_y_px": y,
        "rotation_deg": pair.rotation_deg,
        "scale": pair.scale,
        "hole": " ".join(dict.fromkeys(hole for hole in (first.hole, second.hole) if hole)),
        "shot": " ".join(dict.fromkeys(shot for shot in (first.shot, second.shot) if shot)),
        "shot_agreement": pair.shot_agreement,
        "orientation": pair.orientation,
    }


def rounded_values(acquisitions: Sequence[Acquisition], pair: Pair) -> dict[str, Any]:
    """The same with numbers as exact as tables write them, and words."""
    values = values_of(acquisitions, pair)
    numbers = {name: float(_number(values[name], form)) for name, form in FORMATS.items()}
    return numbers | {name: values[name] or "" for name in WORDS}


def write_listings(found: MicrographOutcome, directory: Path) -> None:
    """Writes all of them."""
    write_duplicates(found.exposures, found.duplicates, directory / LISTING)
    write_overlaps(found.exposures, found.overlaps, found.kept, directory / OVERLAPS)
    write_versions(found.names, found.versions, found.duplicates, directory / VERSIONS)
    if found.params.by_window:
        write_ccc(found.names, found.order, found.versions, found.compared, found.params, directory / CCC)


def write_duplicates(exposures: Exposures, duplicates: Iterable[Pair], path: Path) -> None:
    """One row for each pair whose second micrograph is removed."""
    rows = ([*_names(exposures, pair), pair.set, *_cells(exposures, pair)] for pair in duplicates)
    _write(path, ["Original", "Duplicate", "set", *FORMATS, *WORDS], rows)


def write_overlaps(exposures: Exposures, overlaps: Iterable[Pair], kept: NDArray[np.bool_], path: Path) -> None:
    """One row for each pair that shares too little to remove one; ``both_kept``: whether neither is removed for another reason."""
    rows = (
        [*_names(exposures, pair), "yes" if kept[pair.first] and kept[pair.second] else "no", *_cells(exposures, pair)] for pair in overlaps
    )
    _write(path, ["First", "Second", "both_kept", *FORMATS, *WORDS], rows)


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


def _cells(exposures: Exposures, pair: Pair) -> list[str]:
    values = values_of(exposures.acquisitions, pair)
    return [*(_number(values[name], form) for name, form in FORMATS.items()), *(cell_of(values[name]) for name in WORDS)]


def _number(value: float, form: str) -> str:
    """A number without a sign if nothing is left of it."""
    text = format(value, form)
    return text if float(text) else text.lstrip("-")


def _write(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with naming(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)

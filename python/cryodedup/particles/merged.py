"""All kept particles in one table of a RELION project, whatever the formats of the inputs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.formats.merged_output import MergedRows
from cryodedup.formats.project import base_of
from cryodedup.names import named
from cryodedup.particles.inputs.micrograph_names import normalised_path
from cryodedup.particles.inputs.picks import Floats
from cryodedup.particles.result import ParticleOutcome
from cryodedup.text import count

OPTION = named("as_star", True)
EQUAL = 1e-3
"""Pixel sizes of one micrograph that differ by less, as a share, are one."""
UNNAMED, BY_TABLE = -2, -1


def merged_rows(found: ParticleOutcome) -> tuple[MergedRows, Path]:
    """The kept particles, and the directory of the RELION project.

    Raises
    ------
    InputError
        Particles of tomograms, or whose pixel size is not known; a repair of half-sets; a micrograph whose name in RELION, or whose pixel
        size, is not known.
    """
    if found.repaired_halves is not None:
        raise InputError(
            kind="conflict",
            field=OPTION,
            found=f"{named('half_sets', 'repair')}, which rewrites the files of the inputs",
            expected="one of the two",
        )
    if found.coordinates_a.shape[1] != 2:
        raise InputError(kind="unsupported", field=OPTION, found="particles in tomograms", expected="particles in micrographs")
    if not found.centres.in_angstrom:
        raise InputError(
            kind="missing",
            field=OPTION,
            found="no pixel size of the micrographs",
            expected="it",
            remedy=f"give {named('micrographs')}, or {named('pixel_size_a')}",
        )
    rows = np.flatnonzero(found.kept)
    numbers, micrograph_of = np.unique(found.micrograph_of[rows], return_inverse=True)
    names, sizes, anchor = _micrographs(found, numbers)
    micrograph_of, source_of = micrograph_of.reshape(-1), np.asarray(found.joined.source_of[rows], np.int64)
    scores = found.selection.ranking.scores if found.params.score_field != "none" else None
    merged = MergedRows(
        names=names,
        sizes_a=sizes.tolist(),
        micrograph_of=micrograph_of,
        coordinates_px=found.coordinates_a[rows] / sizes[micrograph_of, None],
        scores=None if scores is None else scores[rows],
        sources=[source.picks.label for source in found.sources],
        source_of=source_of,
        row_of=rows - found.joined.bounds[source_of],
    )
    return merged, Path(os.path.realpath(base_of(anchor, names)[0]))


def _micrographs(found: ParticleOutcome, numbers: NDArray[np.uint32]) -> tuple[list[str], Floats, Path]:
    """Names in RELION and pixel sizes (Å) of some micrographs, and a file from which the names lead to images.

    A table of micrographs goes before the inputs, and an earlier input before a later one. Names of CryoSPARC, and of files of picks, are
    none of RELION's.
    """
    joined, names = found.joined, [""] * found.n_micrographs
    sizes, giver = np.full(len(names), np.nan), np.full(len(names), UNNAMED)
    table = joined.table
    of_relion = table is not None and not table.tomograms and all(micrograph.uid is None for micrograph in table.micrographs)
    for source, pick in enumerate(joined.picks):
        for micrograph, number, row in zip(pick.micrographs, joined.matched.numbers[source], joined.rows_of[source], strict=True):
            if table is not None and of_relion and row is not None:
                names[number], sizes[number], giver[number] = table.micrographs[row].name, table.sizes_a[row], BY_TABLE
            elif giver[number] == UNNAMED and pick.format != "CryoSPARC" and micrograph.uid is None and micrograph.file is None:
                names[number], giver[number] = micrograph.name, source
    unnamed = numbers[giver[numbers] == UNNAMED]
    if len(unnamed):
        raise InputError(
            kind="missing",
            field=OPTION,
            found=f"no RELION name for {count(len(unnamed), 'micrograph')}, such as {_as_given(found, int(unnamed[0]))}",
            expected="the names that the RELION project uses",
            remedy=f"give {named('micrographs', 'micrographs.star')}",
        )
    sizes = np.where(giver == BY_TABLE, sizes, _sizes_a(found, giver, names))
    first = int(giver[numbers].max(initial=BY_TABLE))
    anchor = Path(joined.picks[first].label) if first >= 0 else table.path if table is not None else Path()
    return [names[number] for number in numbers], sizes[numbers], anchor


def _as_given(found: ParticleOutcome, number: int) -> str:
    """A micrograph as an input names it."""
    row = int(np.flatnonzero(found.micrograph_of == number)[0])
    source = found.sources[int(found.joined.source_of[row])]
    return f"{source.picks.micrographs[int(source.picks.micrograph_of[row - source.start])].name} of {source.picks.label}"


def _sizes_a(found: ParticleOutcome, giver: NDArray[np.int64], names: Sequence[str]) -> Floats:
    """The pixel size of each micrograph in the inputs that name it so; or, if these have no particles there, the only one of all inputs."""
    (own, own_high), (low, high) = (_range(found, len(giver), only) for only in (names, None))
    own, own_high = np.where(np.isnan(own), low, own), np.where(np.isnan(own), high, own_high)
    several = (giver >= 0) & (own_high > (1 + EQUAL) * own)
    if several.any():
        at = int(several.argmax())
        raise InputError(
            kind="ambiguous",
            field=f"{OPTION}: {names[at]}",
            found=f"coordinates in pixels of {own[at]:g} and of {own_high[at]:g} Å",
            expected="the pixel size of the micrograph",
            remedy=f"give {named('micrographs', 'micrographs.star')}",
        )
    return own


def _range(found: ParticleOutcome, number: int, names: Sequence[str] | None) -> tuple[Floats, Floats]:
    """The smallest and the largest pixel size of each micrograph, NaN without any; of inputs that name it so, or of all."""
    low, high = np.full(number, np.inf), np.full(number, -np.inf)
    for source, numbers in zip(found.sources, found.joined.matched.numbers, strict=True):
        counts = np.ones(number, bool)
        if names is not None:
            micrographs = zip(numbers, source.picks.micrographs, strict=True)
            of_name = [at for at, one in micrographs if normalised_path(one.name) == normalised_path(names[at])]
            counts[:] = False
            counts[of_name] = True
        of, sizes = found.micrograph_of[source.rows], np.broadcast_to(source.sizes_a, len(source.picks))
        np.minimum.at(low, of[counts[of]], sizes[counts[of]])
        np.maximum.at(high, of[counts[of]], sizes[counts[of]])
    low[np.isinf(low)] = np.nan
    return low, high

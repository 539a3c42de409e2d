"""The opening of STAR files of particles and picks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.star import StarFile, has_coordinates, open_star
from cryodedup.names import named
from cryodedup.particles.inputs import relion
from cryodedup.particles.inputs.subtomograms import HALF_SET, STOPGAP, STOPGAP_NUMBERS
from cryodedup.progress import SILENT, Progress
from cryodedup.text import brief

if TYPE_CHECKING:
    from cryodedup.params import ParticleParams

INDEX = ("rlnMicrographCoordinates",)
CBOX = ("CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "filamentid")
M_COORDINATES = ("wrpCoordinateX1", "wrpCoordinateX")
OTHERS = {"cisTEM": "cisTEM", "xcoor": "Xmipp", "ptmCoordinate": "pytom-match-pick"}
"""Programs, by the beginning of their column labels."""


def open_stars(paths: Sequence[Path], params: ParticleParams, progress: Progress = SILENT) -> list[StarFile]:
    """Scans STAR files of any kind for all columns that may be needed."""
    numbers = [*relion.numbers(params), *CBOX, *STOPGAP_NUMBERS, *other_scores(params)]
    names = (*relion.NAMES, *INDEX, HALF_SET)
    return open_star(paths, numbers=numbers, names=names, varying=relion.ANGLES, threads=params.threads, progress=progress.advance_to)


def other_scores(params: ParticleParams) -> list[str]:
    """The columns of .cbox files and motive lists that are their scores."""
    return ["Confidence", "score"] if params.score_field == "auto" else [params.score_field.lstrip("_")]


def is_motive_list(file: StarFile) -> bool:
    """Whether a file is one of STOPGAP's."""
    return file.find(STOPGAP) is not None


def has_picks_of_one_micrograph(file: StarFile) -> bool:
    """Whether a file has picks of a micrograph that it does not name: a .cbox, or one of RELION's coordinate files."""
    tables = [table for table in file.tables if has_coordinates(table.labels)]
    return file.find("cryolo") is not None or (
        len(tables) == 1 and tables[0].block == "" and not set(relion.MICROGRAPH_NAMES) & set(tables[0].labels)
    )


def particle_table(file: StarFile) -> _core.Table:
    """The one table with coordinates."""
    tables = [table for table in file.tables if has_coordinates(table.labels)]
    named = [table for table in tables if table.block == "particles"]
    if len(tables) == 1 or len(named) == 1:
        return (named or tables)[0]
    if tables:
        blocks = ", ".join(f"data_{table.block}" for table in tables)
        raise InputError(
            kind="ambiguous",
            path=file.path,
            found=f"{len(tables)} tables with coordinates ({blocks})",
            expected="1, or 1 named data_particles",
        )
    raise _what_it_is(file)


def _what_it_is(file: StarFile) -> InputError:
    """The error for a file without coordinates: what it is, and what to do with it."""
    refused = partial(InputError, kind="unsupported", path=file.path)
    labels = {label for table in file.tables for label in table.labels}
    of_m = next((label for label in M_COORDINATES if label in labels), None)
    if of_m is not None:
        return refused(
            found=f"M's own particles ({of_m})",
            expected="RELION's",
            remedy="export them with WarpTools ts_export_particles or MTools",
        )
    foreign = next((program for prefix, program in OTHERS.items() if any(label.startswith(prefix) for label in labels)), None)
    if foreign is not None:
        return refused(found=f"particles of {foreign}", expected="those of RELION or STOPGAP", remedy="export them for RELION")
    particles = any(label.startswith(("rlnCoordinate", "rlnCentered", "rlnImageName")) for label in labels)
    if "rlnTomoTiltSeriesStarFile" in labels and not particles:
        return refused(found="a list of tomograms", expected="particles", remedy=f"give it as {named('micrographs')}, beside the particles")
    if labels & {"rlnMicrographName", "rlnMicrographMovieName"} and not particles:
        return refused(
            found="a list of micrographs",
            expected="particles",
            remedy=f"to compare these, use cryodedup micrographs, or give it as {named('micrographs')}",
        )
    blocks = ", ".join(f"data_{table.block}" for table in file.tables)
    return refused(found=f"no location columns in {brief(blocks)}", expected="rlnCoordinateX and rlnCoordinateY")

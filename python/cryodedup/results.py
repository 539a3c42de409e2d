"""The Python interface: the whole jobs, and results that can be written."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cryodedup.apply.result import AppliedChoice
from cryodedup.apply.workflow import apply_earlier
from cryodedup.errors import InputError
from cryodedup.formats.output import NOT_WRITTEN, HasTable
from cryodedup.micrographs import summary as micrograph_summary
from cryodedup.micrographs import workflow as micrograph_workflow
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.output_directory import given_directory
from cryodedup.params import Match, MicrographParams, ParticleParams, chosen
from cryodedup.params.names import in_python
from cryodedup.particles import summary as particle_summary
from cryodedup.particles import workflow as particle_workflow
from cryodedup.particles.result import ParticleOutcome
from cryodedup.progress import SILENT, Progress
from cryodedup.text import shown
from cryodedup.write.applied import write_applied
from cryodedup.write.job import Delivered
from cryodedup.write.micrographs import write_micrographs
from cryodedup.write.particles import write_particles

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Result = TypeVar("Result")
MAX_SHOWN = 20
"""Files that a result shows as text."""


class ParticleResult(ParticleOutcome):
    """Duplicates among particles: a :class:`~cryodedup.particles.result.ParticleOutcome` that can be written."""

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds; ``schema`` names its version."""
        return particle_summary.summarise(self, NOT_WRITTEN)

    def write(self, directory: Path | str, *, overwrite: bool = False, report: bool = True, progress: Progress = SILENT) -> list[Path]:
        """Writes what the command line writes into a directory, all or nothing; returns the paths.

        With ``half_sets`` ``repair`` all particles with their new half-sets. ``report``: whether ``report.html`` and its figures are made.

        Raises
        ------
        InputError
            Files of these names are there and ``overwrite`` is not given, or one of them is an input.
        """
        with _naming_parameters():
            return _paths(write_particles(self, given_directory(directory), overwrite=overwrite, report=report, progress=progress))

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each rejected particle, with the columns of ``duplicates.csv``; numbers are not rounded, <NA> or NaN: not known."""
        from cryodedup.notebook.frames import rejected_particles

        return rejected_particles(self)

    def plot_distances(self, ax: Axes | None = None) -> Axes:
        """Draws the distances to the nearest neighbour, of all particles and of the kept ones; needs matplotlib, as all plots do."""
        from cryodedup.notebook.plots import plot_distances

        return plot_distances(self, ax)

    def plot_kept_curve(self, ax: Axes | None = None) -> Axes:
        """Draws the share of the particles that each minimum separation would keep."""
        from cryodedup.notebook.plots import plot_kept_curve

        return plot_kept_curve(self, ax)

    def plot_pickers(self, ax: Axes | None = None) -> Axes:
        """Draws how many particles of each input have a particle of each other one nearby."""
        from cryodedup.notebook.plots import plot_pickers

        return plot_pickers(self, ax)

    def plot_micrograph(self, name: str, ax: Axes | None = None) -> Axes:
        """Draws a micrograph with its particles, and a line from each rejected one to that which it duplicates.

        ``name``: as the input gives it, or the end of its path. The image is drawn if ``micrographs`` in the parameters leads to it.
        """
        from cryodedup.notebook.plots import plot_micrograph

        return plot_micrograph(self, name, ax)

    def __repr__(self) -> str:
        from cryodedup.notebook.summary import Overview

        return Overview.of_particles(self).text("ParticleResult")

    def _repr_html_(self) -> str:
        from cryodedup.notebook.summary import Overview, figures_of_particles

        return Overview.of_particles(self).html(figures_of_particles(self))


class MicrographResult(MicrographOutcome):
    """Duplicates among micrographs: a :class:`~cryodedup.micrographs.result.MicrographOutcome` that can be written."""

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds; ``schema`` names its version."""
        return micrograph_summary.summarise(self, NOT_WRITTEN)

    def write(self, directory: Path | str, *, overwrite: bool = False, report: bool = True) -> list[Path]:
        """Writes what the command line writes into a directory, all or nothing; returns the paths.

        If the result is :attr:`withheld`, the kept and the removed micrographs are not written, and those of an earlier run go.

        Raises
        ------
        InputError
            Files of these names are there and ``overwrite`` is not given, or one of them is an input.
        """
        with _naming_parameters():
            return _paths(write_micrographs(self, given_directory(directory), overwrite=overwrite, report=report))

    def kept_table(self) -> Any:
        """The rows of the kept micrographs as a table.

        Of a STAR file what ``starfile.read`` returns, of a CryoSPARC dataset a structured array (a ``Dataset`` of one in CSDAT form); of a
        folder or a list of images their names.

        Raises
        ------
        InputError
            The input was changed since it was read.
        """
        output = self.exposures.output
        return output.taken(self.kept) if isinstance(output, HasTable) else [self.names[i] for i in np.flatnonzero(self.kept).tolist()]

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each pair, with the columns of ``duplicates.csv``; pairs that share too little to remove one have no ``set``."""
        from cryodedup.notebook.frames import pairs_of_micrographs

        return pairs_of_micrographs(self)

    def plot_significance(self, ax: Axes | None = None) -> Axes:
        """Draws how many pairs reach each significance, and how many are expected by chance; needs matplotlib, as all plots do."""
        from cryodedup.notebook.plots import plot_significance

        return plot_significance(self, ax)

    def plot_pair(self, k: int, ax: Axes | None = None) -> Axes:
        """Draws the micrographs of a pair, an index into :attr:`pairs`, the second laid on the first."""
        from cryodedup.notebook.plots import plot_pair

        return plot_pair(self, k, ax)

    def __repr__(self) -> str:
        from cryodedup.notebook.summary import Overview

        return Overview.of_micrographs(self).text("MicrographResult")

    def _repr_html_(self) -> str:
        from cryodedup.notebook.summary import Overview, figures_of_micrographs

        return Overview.of_micrographs(self).html(figures_of_micrographs(self))


class Applied(AppliedChoice):
    """The choice of an earlier run for other files, which can be written."""

    def write(self, directory: Path | str, *, overwrite: bool = False, progress: Progress = SILENT) -> list[Path]:
        """Writes the kept and the rejected rows of each file and ``summary.json`` into a directory, all or nothing; returns the paths.

        Raises
        ------
        InputError
            The directory is that of the earlier result; files of these names are there and ``overwrite`` is not given, or one of them is
            an input.
        """
        with _naming_parameters():
            return write_applied(self, given_directory(directory), overwrite=overwrite, progress=progress).paths

    def __repr__(self) -> str:
        lines = [f"Applied: the choice of {self.directory}"]
        lines += [f"{file.label}: kept {int(file.kept.sum()):,} of {len(file.kept):,} rows" for file in self.files[:MAX_SHOWN]]
        more = len(self.files) - MAX_SHOWN
        return "\n".join(map(shown, [*lines, *([f"and {more} more files"] if more > 0 else []), "write(directory)"]))


def deduplicate_particles(
    particles: Any, params: ParticleParams | None = None, *, progress: Progress = SILENT, **parameters: Any
) -> ParticleResult:
    """Finds the duplicates among the particles of files or tables.

    Parameters
    ----------
    particles
        A path or several (``.star``, ``.cs``, ``.csg``, ``.box``, ``.cbox``, Topaz ``.txt``, RELION's index of coordinate files, folders
        of picks), or a table: what ``starfile.read`` or ``cryosparc.dataset.Dataset.load`` return, or several of these.
    params
        What counts as a duplicate and which one stays; see :class:`ParticleParams`.
    progress
        Listens to the job, see :class:`~cryodedup.progress.Progress`.
    **parameters
        Fields of :class:`ParticleParams`, such as ``min_separation_a=80``; they replace those of ``params``.

    Returns
    -------
    :class:`ParticleResult`: masks, tables, summary; ``write(directory)`` writes what the command line writes.

    Raises
    ------
    InputError
        One line: which file, row or field, what was found, what was expected.

    Examples
    --------
    >>> import numpy as np
    >>> picks = np.zeros(3, [("uid", "u8"), ("location/micrograph_path", "S9"), ("location/micrograph_shape", "u4", 2),
    ...                      ("location/center_x_frac", "f4"), ("location/center_y_frac", "f4")])
    >>> picks["uid"], picks["location/micrograph_path"], picks["location/micrograph_shape"] = [1, 2, 3], b"a.mrc", 4000
    >>> picks["location/center_x_frac"] = [0.500, 0.501, 0.600]
    >>> result = deduplicate_particles(picks, min_separation_a=20, pixel_size_a=1.0)
    >>> result.kept
    array([ True, False,  True])
    """
    with _naming_parameters():
        found = particle_workflow.find_duplicates(particles, chosen(params, ParticleParams, parameters), progress)
    return _as(ParticleResult, found, warnings=tuple(map(in_python, found.warnings)), notes=tuple(map(in_python, found.notes)))


def find_duplicate_micrographs(
    micrographs: str | PathLike[str] | Sequence[str | PathLike[str]],
    params: MicrographParams | None = None,
    *,
    cache: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
    **parameters: Any,
) -> MicrographResult:
    """Finds micrographs that show the same hole.

    Parameters
    ----------
    micrographs
        A STAR file or CryoSPARC dataset of micrographs, a folder, or any number of ``.mrc`` (``.gz``, ``.bz2``) or ``.tif`` files or
        patterns.
    params
        See :class:`MicrographParams`.
    cache
        A file for the prepared micrographs; None: a temporary one.
    resume
        Use what ``cache`` holds already, and read only other micrographs.
    progress
        Listens to the job, see :class:`~cryodedup.progress.Progress`.
    **parameters
        Fields of :class:`MicrographParams`, such as ``bin=4``; they replace those of ``params``.

    Returns
    -------
    :class:`MicrographResult`: pairs, sets, which stay; ``write(directory)`` writes what the command line writes.

    Raises
    ------
    InputError
        One line: which file or parameter, what was found, what was expected. A single unreadable image is no error: the result names it.
    """
    with _naming_parameters():
        chosen_params = chosen(params, MicrographParams, parameters)
        found = micrograph_workflow.find_duplicates(micrographs, chosen_params, cache=cache, resume=resume, progress=progress)
    return _as(MicrographResult, found, warnings=list(map(in_python, found.warnings)))


def apply_choice(
    directory: Path | str,
    files: Path | str | Iterable[Path | str],
    *,
    flip_y: bool | None = None,
    match: Match | None = None,
    threads: int = 0,
    progress: Progress = SILENT,
) -> Applied:
    r"""Applies the choice of an earlier run to other files of the project.

    Parameters
    ----------
    directory
        Where ``cryodedup particles`` or ``cryodedup micrographs`` wrote its result.
    files
        After ``micrographs``: STAR files of movies, micrographs, particles or pick files, CryoSPARC datasets and groups of exposures or
        particles, lists of names (``.txt``). After ``particles``: files of particles, or of picks, of any format.
    flip_y
        Count y of CryoSPARC files from the other edge; None: as the earlier run did.
    match
        How micrographs are matched: ``auto``, ``path``, ``name`` or ``uid``, see :class:`~cryodedup.ParticleParams`; None: as the earlier
        run did.
    threads
        0: one a processor. The result does not depend on it.
    progress
        Listens to the job, see :class:`~cryodedup.progress.Progress`.

    Returns
    -------
    :class:`Applied`: masks and counts of each file; ``write(directory)`` writes what the command line writes.
    Rows that the earlier run never saw stay, and are counted; so are rows with two contradicting verdicts.

    Raises
    ------
    InputError
        A directory without a whole result of kept and rejected rows; a file of another kind than the result can be applied to; a file of
        which no row is in the result; a name that fits two micrographs.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> where = Path(mkdtemp())
    >>> head = "data_particles\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n"
    >>> _ = (where / "picked.star").write_text(head + "a.mrc 100 100\na.mrc 104 100\nb.mrc 104 100\n")
    >>> _ = (where / "polished.star").write_text(head + "b.mrc 104.0 100.0\na.mrc 104.0 100.0\nc.mrc 1.0 1.0\n")
    >>> result = deduplicate_particles(where / "picked.star", ParticleParams(pixel_size_a=1.0))
    >>> _ = result.write(where / "clean", report=False)
    >>> (file,) = apply_choice(where / "clean", where / "polished.star").files
    >>> file.kept, int(file.not_found.sum())
    (array([ True, False,  True]), 1)
    """
    with _naming_parameters():
        return _as(Applied, apply_earlier(Path(directory), files, flip_y=flip_y, match=match, threads=threads, progress=progress))


def _paths(delivered: Delivered) -> list[Path]:
    for text in delivered.warnings:
        warnings.warn(text, stacklevel=3)
    return delivered.paths


def _as(kind: type[Result], found: Any, **others: Any) -> Result:
    """The same values as an object of a class that adds to theirs; ``others`` replace some."""
    return kind(**{one.name: getattr(found, one.name) for one in fields(found)} | others)


@contextmanager
def _naming_parameters() -> Iterator[None]:
    """Errors name parameters, not the options of the command line."""
    try:
        yield
    except InputError as error:
        error.args = tuple(in_python(text) if isinstance(text, str) else text for text in error.args)
        raise

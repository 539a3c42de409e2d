"""What the jobs return in Python: results that can be written, shown in a notebook, and drawn."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cryodedup.apply.result import AppliedChoice
from cryodedup.formats.output import NOT_WRITTEN, HasTable
from cryodedup.frozen import frozen
from cryodedup.micrographs import summary as micrograph_summary
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.names import as_parameters
from cryodedup.output_directory import given_directory
from cryodedup.particles import summary as particle_summary
from cryodedup.particles.result import ParticleOutcome, Source
from cryodedup.progress import SILENT, Progress
from cryodedup.summary_file import with_texts
from cryodedup.text import shown
from cryodedup.write.applied import write_applied
from cryodedup.write.job import Delivered
from cryodedup.write.micrographs import write_micrographs
from cryodedup.write.particles import write_particles

if TYPE_CHECKING:
    import pandas as pd

    from cryodedup.report.figure import Figure

MAX_SHOWN = 20
"""Files that a result shows as text."""


class ParticleResult(ParticleOutcome):
    """Duplicates among particles: a :class:`~cryodedup.particles.result.ParticleOutcome` that can be written."""

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The inputs."""
        return frozen(tuple(replace(source, pixel_sizes=with_texts(source.pixel_sizes, as_parameters)) for source in super().sources))

    def summary(self) -> dict[str, Any]:
        """Returns what ``summary.json`` holds; ``schema`` names its version."""
        return dict(with_texts(particle_summary.summarise(self, NOT_WRITTEN), as_parameters))

    def write(
        self, directory: Path | str, *, overwrite: bool = False, report: bool = True, as_star: bool = False, progress: Progress = SILENT
    ) -> list[Path]:
        """Writes what the command line writes into a directory, all or nothing; returns the paths.

        With ``half_sets`` ``repair`` all particles with their new half-sets. ``report``: whether ``report.html`` and its figures are made.
        ``as_star``: all kept particles as one STAR table, and as RELION's index of coordinate files, too.

        Raises
        ------
        InputError
            Files of these names are there and ``overwrite`` is not given, or one of them is an input.
        """
        return _paths(
            write_particles(self, given_directory(directory), overwrite=overwrite, report=report, as_star=as_star, progress=progress)
        )

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each rejected particle, with the columns of ``duplicates.csv``; numbers are not rounded, <NA> or NaN: not known."""
        from cryodedup.notebook import rejected_particles

        return rejected_particles(self)

    def plot_distances(self) -> Figure:
        """Draws the distances to the nearest neighbour, of all particles and of the kept ones."""
        from cryodedup.notebook import plot_distances

        return plot_distances(self)

    def plot_kept_curve(self) -> Figure:
        """Draws the share of the particles that each minimum separation would keep."""
        from cryodedup.notebook import plot_kept_curve

        return plot_kept_curve(self)

    def plot_pickers(self) -> Figure:
        """Draws how many particles of each input have a particle of each other one nearby."""
        from cryodedup.notebook import plot_pickers

        return plot_pickers(self)

    def plot_micrograph(self, name: str) -> Figure:
        """Draws a micrograph with its particles, and a line from each rejected one to that which it duplicates.

        ``name``: as the input gives it, or the end of its path. The image is drawn if ``micrographs`` in the parameters leads to it.
        """
        from cryodedup.notebook import plot_micrograph

        return plot_micrograph(self, name)

    def __repr__(self) -> str:
        from cryodedup.notebook import Overview

        return Overview.of_particles(self).text("ParticleResult")

    def _repr_html_(self) -> str:
        from cryodedup.notebook import Overview, figures_of_particles

        return Overview.of_particles(self).html(figures_of_particles(self))


class MicrographResult(MicrographOutcome):
    """Duplicates among micrographs: a :class:`~cryodedup.micrographs.result.MicrographOutcome` that can be written."""

    def summary(self) -> dict[str, Any]:
        """Returns what ``summary.json`` holds; ``schema`` names its version."""
        return dict(with_texts(micrograph_summary.summarise(self, NOT_WRITTEN), as_parameters))

    def write(self, directory: Path | str, *, overwrite: bool = False, report: bool = True) -> list[Path]:
        """Writes what the command line writes into a directory, all or nothing; returns the paths.

        If the result is :attr:`withheld`, the kept and the removed micrographs are not written, and those of an earlier run go.

        Raises
        ------
        InputError
            Files of these names are there and ``overwrite`` is not given, or one of them is an input.
        """
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
        from cryodedup.notebook import pairs_of_micrographs

        return pairs_of_micrographs(self)

    def plot_significance(self) -> Figure:
        """Draws how many pairs reach each significance, and how many are expected by chance."""
        from cryodedup.notebook import plot_significance

        return plot_significance(self)

    def plot_pair(self, k: int) -> Figure:
        """Draws the micrographs of a pair, an index into :attr:`pairs`, the second laid on the first."""
        from cryodedup.notebook import plot_pair

        return plot_pair(self, k)

    def __repr__(self) -> str:
        from cryodedup.notebook import Overview

        return Overview.of_micrographs(self).text("MicrographResult")

    def _repr_html_(self) -> str:
        from cryodedup.notebook import Overview, figures_of_micrographs

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
        return write_applied(self, given_directory(directory), overwrite=overwrite, progress=progress).paths

    def __repr__(self) -> str:
        lines = [f"Applied: the choice of {self.directory}"]
        lines += [f"{file.label}: kept {int(file.kept.sum()):,} of {len(file.kept):,} rows" for file in self.files[:MAX_SHOWN]]
        more = len(self.files) - MAX_SHOWN
        return "\n".join(map(shown, [*lines, *([f"and {more} more files"] if more > 0 else []), "write(directory)"]))


def _paths(delivered: Delivered) -> list[Path]:
    for text in delivered.warnings:
        warnings.warn(text, stacklevel=3)
    return delivered.paths

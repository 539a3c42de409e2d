"""RELION 5's ``optimisation_set.star``, which names the particles and tomograms of a tomography project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryodedup.errors import InputError
from cryodedup.formats.project import base_of, is_file
from cryodedup.formats.star import StarFile, open_star, quoted, text

NAME = "optimisation_set.star"
PARTICLES, TRAJECTORIES = "rlnTomoParticlesFile", "rlnTomoTrajectoriesFile"


@dataclass(frozen=True)
class OptimisationSet:
    """An optimisation set.

    Attributes
    ----------
    entries
        The values in the file, by label.
    base
        The directory to which its paths are relative.
    """

    path: Path
    entries: dict[str, str]
    base: Path

    @classmethod
    def of(cls, file: StarFile) -> OptimisationSet | None:
        """The set in a STAR file, as pairs of label and value or as a loop of one row; None if the file is not such a set."""
        entries = next((dict(table.pairs) for table in file.tables if PARTICLES in dict(table.pairs)), None)
        if entries is not None:
            named = {label: text(value) for label, value in entries.items()}
        else:
            table = next((table for table in file.tables if PARTICLES in table.labels), None)
            rows = file.rows(table) if table is not None else []
            if not rows:
                return None
            named = rows[0]
        return cls(file.path, named, _base(file.path, named[PARTICLES]))

    @classmethod
    def beside(cls, particles: Path) -> OptimisationSet | None:
        """The set in the same directory as a particle file, if it names that file; else None."""
        for path in sorted(particles.parent.glob(f"*{NAME}")):
            (file,) = open_star([path])
            found = cls.of(file)
            if found is not None and os.path.realpath(found.base / found.entries[PARTICLES]) == os.path.realpath(particles):
                return found
        return None

    @property
    def particles(self) -> Path:
        """The path of the particle file."""
        path = self.base / self.entries[PARTICLES]
        if not is_file(path):
            raise InputError(
                kind="missing",
                path=self.path,
                field=PARTICLES,
                found=f"no file {self.entries[PARTICLES]}",
                remedy="run this in the RELION project directory",
            )
        return path

    @property
    def lost(self) -> list[str]:
        """Notes on what is left out of the new set, and why."""
        if TRAJECTORIES not in self.entries:
            return []
        return [
            f"{self.path}: {TRAJECTORIES} is not in the new set, since its trajectories are of all input particles, in their order; run"
            " Bayesian polishing again"
        ]

    def text_for(self, particles: Path) -> str:
        """The set with other particles, without trajectories."""
        entries = {label: self._led(value) for label, value in self.entries.items() if label != TRAJECTORIES}
        base = Path(os.path.realpath(self.base))
        entries[PARTICLES] = str(particles.relative_to(base) if particles.is_relative_to(base) else particles)
        lines = "".join(f"_{label:<40} {quoted(value)}\n" for label, value in entries.items())
        return f"\ndata_\n\n{lines}\n"

    def _led(self, value: str) -> str:
        """A path for the new set: absolute if the value is relative to the directory of the set, as Warp's are, else unchanged."""
        path = self.base / value
        is_own = os.path.realpath(self.base) == os.path.realpath(self.path.parent)
        return os.path.realpath(path) if is_own and is_file(path) else value


def _base(path: Path, named: str) -> Path:
    """The base of the paths: RELION's are relative to the project directory, Warp's to the directory of the file."""
    return base_of(path, [named])[0]

"""RELION 5's ``optimisation_set.star``, which names the particles and tomograms of a tomography project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryodedup.errors import InputError
from cryodedup.formats.project import base_of
from cryodedup.formats.star import StarFile, open_star, quoted, text

NAME = "optimisation_set.star"
PARTICLES, TRAJECTORIES = "rlnTomoParticlesFile", "rlnTomoTrajectoriesFile"


@dataclass(frozen=True)
class OptimisationSet:
    """A set and the particles it names.

    Attributes
    ----------
    entries
        What stands in the file, by label.
    base
        The directory from which its paths lead to files.
    """

    path: Path
    entries: dict[str, str]
    base: Path

    @classmethod
    def of(cls, file: StarFile) -> OptimisationSet | None:
        """From a STAR file, written as a list or as a loop of one row; None if it is no such set."""
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
        """The set beside a file of particles, if it names that file."""
        for path in sorted(particles.parent.glob(f"*{NAME}")):
            (file,) = open_star([path])
            found = cls.of(file)
            if found is not None and os.path.realpath(found.base / found.entries[PARTICLES]) == os.path.realpath(particles):
                return found
        return None

    @property
    def particles(self) -> Path:
        """The file of particles."""
        path = self.base / self.entries[PARTICLES]
        if not path.is_file():
            raise InputError(f"{self.path}: {PARTICLES}: found no file {self.entries[PARTICLES]}; run this in the RELION project directory")
        return path

    @property
    def lost(self) -> list[str]:
        """What the new set does not name, and why."""
        if TRAJECTORIES not in self.entries:
            return []
        return [
            f"{self.path}: {TRAJECTORIES} is left out of the new set, since it holds the trajectories of all particles in their order; run"
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
        """A path that leads to the same file from anywhere, if the set's own leads there from its directory, as Warp's."""
        path = self.base / value
        is_own = os.path.realpath(self.base) == os.path.realpath(self.path.parent)
        return os.path.realpath(path) if is_own and path.is_file() else value


def _base(path: Path, named: str) -> Path:
    """RELION looks paths up from the project's directory, Warp's lead from the file."""
    return base_of(path, [named])[0]

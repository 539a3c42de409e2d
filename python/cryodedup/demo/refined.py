"""Refined particles of the session of micrographs: some were picked again, off centre, and refinement moved both to one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.demo.micrographs import PIXEL_SIZE_A, Planted
from cryodedup.formats.star_output import optics, write_frames
from cryodedup.particles.result import ParticleOutcome

SPACING_A = 80.0
"""Least distance of two particles; of those that are nearer only one is picked."""
TWICE = 0.25
"""Share that was picked again."""
PICKED_A, AGAIN_A, REFINED_A = 8.0, (30.0, 45.0), 1.5
"""How far from their particle picks are (a standard deviation along each axis), second ones, and refined centres."""


COLUMNS = (
    "rlnCoordinateX",
    "rlnCoordinateY",
    "rlnAutopickFigureOfMerit",
    "rlnOriginXAngst",
    "rlnOriginYAngst",
    "rlnAngleRot",
    "rlnAngleTilt",
    "rlnAnglePsi",
    "rlnRandomSubset",
    "rlnMicrographName",
    "rlnOpticsGroup",
)


@dataclass(frozen=True)
class Refined:
    """The file, and for each row the particle that it is of."""

    path: Path
    truth: NDArray[np.int64]

    def compare(self, result: ParticleOutcome) -> tuple[int, int, int]:
        """How many particles are there a second time, how many of these were rejected, and how many others."""
        twice = len(self.truth) - len(np.unique(self.truth))
        left = int(result.kept.sum()) - len(np.unique(self.truth[result.kept]))
        return twice, twice - left, len(result.rejected) - (twice - left)


def make_refined(planted: Planted, seed: int = 1) -> Refined:
    """Writes ``refined.star`` beside ``micrographs.star``: picks, the shifts that a refinement found for them, and half-sets at random."""
    rng = np.random.default_rng(seed)
    path = planted.star.with_name("refined.star")
    rows: list[tuple[object, ...]] = []
    truth: list[int] = []
    for name, centres_px in planted.particles.items():
        for centre in _spaced(centres_px * PIXEL_SIZE_A):
            angles = (rng.uniform(-180, 180), rng.uniform(0, 180), rng.uniform(-180, 180))
            angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(*AGAIN_A)
            picks = [centre + rng.normal(0, PICKED_A, 2), centre + far * np.array([np.cos(angle), np.sin(angle)])]
            particle = truth[-1] + 1 if truth else 0
            for pick_a in picks[: 1 + (rng.random() < TWICE)]:
                pick_px = np.rint(pick_a / PIXEL_SIZE_A)
                shift_a = pick_px * PIXEL_SIZE_A - centre + rng.normal(0, REFINED_A, 2)
                rows.append((*pick_px, rng.beta(5, 2), *shift_a, *angles, rng.integers(1, 3), name, 1))
                truth.append(particle)
    particles = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    groups = optics(rlnMicrographPixelSize=PIXEL_SIZE_A, rlnImagePixelSize=PIXEL_SIZE_A)
    write_frames(path, {"optics": groups, "particles": particles})
    return Refined(path, np.array(truth))


def _spaced(centres_a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those that are no nearer than the spacing to one before them."""
    taken = np.empty((0, 2))
    for centre in centres_a:
        if not len(taken) or np.hypot(*(taken - centre).T).min() > SPACING_A:
            taken = np.vstack([taken, centre])
    return taken

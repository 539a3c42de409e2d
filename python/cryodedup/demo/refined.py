"""Refined particles of the session of micrographs: some were picked again, off centre, and refinement moved both to one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.demo.micrographs import PIXEL_SIZE_A, Planted
from cryodedup.particles.result import ParticleOutcome

SPACING_A = 80.0
"""Least distance of two particles; of those that are nearer only one is picked."""
TWICE = 0.25
"""Share that was picked again."""
PICKED_A, AGAIN_A, REFINED_A = 8.0, (30.0, 45.0), 1.5
"""How far from their particle picks are (a standard deviation along each axis), second ones, and refined centres."""


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
    lines = [
        "# version 30001\n\ndata_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n_rlnMicrographPixelSize"
        f" #3\n_rlnImagePixelSize #4\nopticsGroup1 1 {PIXEL_SIZE_A:.6f} {PIXEL_SIZE_A:.6f}\n\n\n# version"
        " 30001\n\ndata_particles\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnAutopickFigureOfMerit #3\n_rlnOriginXAngst"
        " #4\n_rlnOriginYAngst #5\n_rlnAngleRot #6\n_rlnAngleTilt #7\n_rlnAnglePsi #8\n_rlnRandomSubset #9\n_rlnMicrographName"
        " #10\n_rlnOpticsGroup #11\n"
    ]
    truth: list[int] = []
    for name, centres_px in planted.particles.items():
        for centre in _spaced(centres_px * PIXEL_SIZE_A):
            angles = f"{rng.uniform(-180, 180):11.4f} {rng.uniform(0, 180):11.4f} {rng.uniform(-180, 180):11.4f}"
            angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(*AGAIN_A)
            picks = [centre + rng.normal(0, PICKED_A, 2), centre + far * np.array([np.cos(angle), np.sin(angle)])]
            particle = truth[-1] + 1 if truth else 0
            for pick_a in picks[: 1 + (rng.random() < TWICE)]:
                pick_px = np.rint(pick_a / PIXEL_SIZE_A)
                shift_a = pick_px * PIXEL_SIZE_A - centre + rng.normal(0, REFINED_A, 2)
                score = rng.beta(5, 2)
                lines.append(
                    f"{pick_px[0]:8.1f} {pick_px[1]:8.1f} {score:9.6f} {shift_a[0]:9.4f} {shift_a[1]:9.4f} {angles} {rng.integers(1, 3)}"
                    f" {name} 1\n"
                )
                truth.append(particle)
    path.write_text("".join(lines) + "\n")
    return Refined(path, np.array(truth))


def _spaced(centres_a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those that are no nearer than the spacing to one before them."""
    taken = np.empty((0, 2))
    for centre in centres_a:
        if not len(taken) or np.hypot(*(taken - centre).T).min() > SPACING_A:
            taken = np.vstack([taken, centre])
    return taken

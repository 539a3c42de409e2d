"""A small simulated session: what three pickers find in the same micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import naming
from cryodedup.formats.star_output import optics, write_frames
from cryodedup.particles.result import ParticleOutcome

MIN_SEPARATION_A = 40.0
N_MICROGRAPHS = 12
PER_MICROGRAPH = 200
SIDES_PX = np.array([5760, 4092])
PIXEL_SIZE_A = 0.83
SPACING_A = 120.0
"""Least distance of two true particles."""
JITTER_A = 6.0
"""Standard deviation of a pick's distance from the particle, along each axis."""
FOUND = 0.85
"""Chance that a picker finds a particle."""
TWICE = 0.03
"""Chance that it picks it twice."""
NOTHING = 0.05
"""Picks of nothing, as a fraction of the particles."""


@dataclass(frozen=True)
class Found:
    """Holds what was found against what was planted."""

    true_particles: int
    false_picks: int
    planted: int
    found: int
    extra: int
    picked: int
    represented: int


@dataclass(frozen=True)
class Session:
    """Files of picks, and for each pick, file after file, the true particle it is of; -1: of none."""

    paths: Sequence[Path]
    truth: NDArray[np.int64]

    def compare(self, result: ParticleOutcome) -> Found:
        """Every pick of a particle beyond the first is a planted duplicate."""
        of_something = self.truth >= 0
        picked = np.unique(self.truth[of_something])
        represented = np.unique(self.truth[of_something & result.kept])
        planted = int(of_something.sum()) - len(picked)
        left = int((of_something & result.kept).sum()) - len(represented)
        return Found(
            true_particles=N_MICROGRAPHS * PER_MICROGRAPH,
            false_picks=int((~of_something).sum()),
            planted=planted,
            found=planted - left,
            extra=len(result.rejected) - (planted - left),
            picked=len(picked),
            represented=len(represented),
        )


@dataclass(frozen=True)
class _Picks:
    micrograph: NDArray[np.int64]
    xy_px: NDArray[np.float64]
    score: NDArray[np.float64]
    truth: NDArray[np.int64]


def make_session(directory: Path, seed: int = 1) -> Session:
    """Writes the picks of three pickers: RELION's and Topaz's as ``.star``, CryoSPARC's as ``.cs``."""
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    particles = np.stack([_spaced(rng) for _ in range(N_MICROGRAPHS)])
    pickers = [_pick(rng, particles) for _ in range(3)]
    paths = (directory / "relion.star", directory / "topaz.star", directory / "cryosparc.cs")
    _write_star(paths[0], pickers[0], "MotionCorr/job002/Movies/hole_{:03d}.mrc")
    _write_star(paths[1], pickers[1], "Import/job003/hole_{:03d}.mrc")
    _write_cs(paths[2], pickers[2], rng)
    return Session(paths, np.concatenate([picks.truth for picks in pickers]))


def _spaced(rng: np.random.Generator) -> NDArray[np.float64]:
    """Positions in px, none nearer to another than the spacing: drawn one by one, as far as they fit."""
    placed: list[NDArray[np.float64]] = []
    while len(placed) < PER_MICROGRAPH:
        new = rng.random(2) * SIDES_PX
        if all(np.hypot(*(new - other)) * PIXEL_SIZE_A > SPACING_A for other in placed):
            placed.append(new)
    return np.array(placed)


def _pick(rng: np.random.Generator, particles: NDArray[np.float64]) -> _Picks:
    n = N_MICROGRAPHS * PER_MICROGRAPH
    times = (rng.random(n) < FOUND) * (1 + (rng.random(n) < TWICE))
    truth = np.repeat(np.arange(n), times)
    nothing = int(n * NOTHING)
    micrograph = np.concatenate([truth // PER_MICROGRAPH, rng.integers(0, N_MICROGRAPHS, nothing)])
    xy = np.concatenate(
        [particles.reshape(n, 2)[truth] + rng.normal(0, JITTER_A / PIXEL_SIZE_A, (len(truth), 2)), rng.random((nothing, 2)) * SIDES_PX]
    )
    score = np.concatenate([rng.beta(5, 2, len(truth)), rng.beta(2, 5, nothing)])
    order = np.argsort(micrograph, kind="stable")
    truth = np.concatenate([truth, np.full(nothing, -1)])
    return _Picks(micrograph[order], np.clip(xy[order], 0, SIDES_PX - 1), score[order], truth[order])


def _write_star(path: Path, picks: _Picks, name: str) -> None:
    particles = {
        "rlnCoordinateX": picks.xy_px[:, 0],
        "rlnCoordinateY": picks.xy_px[:, 1],
        "rlnAutopickFigureOfMerit": picks.score,
        "rlnMicrographName": [name.format(micrograph + 1) for micrograph in picks.micrograph],
        "rlnOpticsGroup": 1,
    }
    write_frames(path, {"optics": optics(rlnMicrographPixelSize=PIXEL_SIZE_A), "particles": particles})


def _write_cs(path: Path, picks: _Picks, rng: np.random.Generator) -> None:
    uids = rng.integers(1, 2**63, N_MICROGRAPHS, dtype=np.uint64)
    paths = [f"J2/motioncorrected/{uid:021d}_hole_{i + 1:03d}_patch_aligned_doseweighted.mrc".encode() for i, uid in enumerate(uids)]
    fields = [
        ("uid", "<u8"), ("location/micrograph_uid", "<u8"), ("location/exp_group_id", "<u4"),
        ("location/micrograph_path", f"S{len(paths[0])}"),
        ("location/micrograph_shape", "<u4", (2,)), ("location/center_x_frac", "<f4"), ("location/center_y_frac", "<f4"),
        ("location/micrograph_psize_A", "<f4"), ("pick_stats/ncc_score", "<f4"), ("pick_stats/power", "<f4"),
    ]  # fmt: skip
    records = np.zeros(len(picks.truth), fields)
    records["uid"] = rng.choice(2**62, len(records), replace=False) + 1
    records["location/micrograph_uid"] = uids[picks.micrograph]
    records["location/micrograph_path"] = np.array(paths)[picks.micrograph]
    records["location/micrograph_shape"] = SIDES_PX[::-1]
    records["location/center_x_frac"], records["location/center_y_frac"] = (picks.xy_px / SIDES_PX).T
    records["location/micrograph_psize_A"] = PIXEL_SIZE_A
    records["pick_stats/ncc_score"] = picks.score
    with naming(path), path.open("wb") as file:
        np.save(file, records)

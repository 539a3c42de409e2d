"""Simulates what duplicates across half-sets do to the FSC, prints a table and draws docs/shared_noise.svg: `python docs/shared_noise.py`.

Particles are images of pure noise: whatever correlation two half-maps then have is shared noise, not signal. Some particles are there a
second time, in the other half-set. The second copy is the same area of the micrograph, so it has the same noise, moved by as much as the
two shifts of a refinement differ. Everything is done in Fourier space, on the half-plane of a small image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.half_sets import FSC_THRESHOLD, audit_equal
from cryodedup.report.axes import Axis
from cryodedup.report.charts import chart
from cryodedup.report.figure import Figure, file_style
from cryodedup.report.layers import Dash, Layer, Line, Paint, Rules

PICTURE = Path(__file__).with_name("shared_noise.svg")
SIDE, SHELLS = 64, 16
PARTICLES, RUNS = 2000, 4
SHARES = (0.0, 0.02, 0.05, 0.10, 1 / 7, 0.20, 0.33)
"""Of all particles, those that have a duplicate in the other half-set."""
APART_PX = 0.8
"""Standard deviation of the shift between the copies along each axis, where they were refined to different shifts."""


def frequencies() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies x and y of the half-plane, cycles per pixel, inside the circle of Nyquist."""
    y, x = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
    inside = (np.hypot(x, y) < 0.5) & (np.hypot(x, y) > 0)
    return x[inside], y[inside]


def particles(share: float) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Which noise each particle has, and its half-set."""
    twice = round(share * PARTICLES / 2)
    noise = np.concatenate([np.arange(PARTICLES - twice), np.arange(twice)])
    halves = np.where(np.arange(PARTICLES) % 2, 1, 2).astype(np.uint8)
    halves[PARTICLES - twice :] = 3 - halves[:twice]
    return noise, halves


def simulated(share: float, apart_px: float = 0.0, seed: int = 1) -> NDArray[np.float64]:
    """The FSC of two half-maps of noise, in shells up to Nyquist."""
    rng = np.random.default_rng(seed)
    x, y = frequencies()
    noise_of, halves = particles(share)
    maps = np.zeros((2, len(x)), np.complex128)
    images: dict[int, NDArray[np.complex128]] = {}
    for noise, half in zip(noise_of.tolist(), halves.tolist(), strict=True):
        image = images.pop(noise, None)
        if image is None:
            images[noise] = image = rng.standard_normal(len(x)) + 1j * rng.standard_normal(len(x))
        else:
            dx, dy = rng.normal(0, apart_px, 2)
            image = image * np.exp(-2j * np.pi * (x * dx + y * dy))
        maps[half - 1] += image
    shell = np.minimum((np.hypot(x, y) * 2 * SHELLS).astype(int), SHELLS - 1)
    cross = np.bincount(shell, (maps[0] * maps[1].conj()).real, SHELLS)
    one, two = (np.bincount(shell, np.abs(half) ** 2, SHELLS) for half in maps)
    return np.asarray(cross / np.sqrt(one * two))


def averaged(share: float, apart_px: float = 0.0) -> NDArray[np.float64]:
    """The mean of several simulations, in shells up to Nyquist."""
    return np.asarray(np.mean([simulated(share, apart_px, seed) for seed in range(1, RUNS + 1)], axis=0))


def counted(share: float) -> float:
    """The FSC of noise that cryodedup gives for these particles."""
    noise, halves = particles(share)
    return audit_equal(halves, noise).noise_fsc


def table(shares: Sequence[float] = SHARES) -> str:
    """The rows of the table in docs/half-sets.md: simulated over all shells, and counted."""
    rows = [
        "| particles with a duplicate in the other half | FSC of the simulated half-maps | FSC of noise that cryodedup gives |",
        "|---|---|---|",
    ]
    for share in shares:
        mean = averaged(share)[1:].mean()  # the first shell has few coefficients
        rows.append(f"| {100 * share:.0f} % | {mean:.3f} | {counted(share):.3f} |")
    return "\n".join(rows)


def draw() -> str:
    """The figure as SVG."""
    at = ((np.arange(SHELLS) + 0.5) / SHELLS * 0.5)[1:]
    shown: tuple[tuple[float, float, Paint, Dash, str], ...] = (
        (0.0, 0.0, "grey", "", "no duplicates"),
        (1 / 7, 0.0, "first", "", "one particle in seven"),
        (0.33, 0.0, "second", "", "one in three"),
        (0.33, APART_PX, "second", "dashed", f"one in three, copies about {APART_PX:g} px apart"),
    )
    layers: list[Layer] = [
        Line(x=at, y=averaged(share, apart)[1:], paint=paint, dash=dash, label=label) for share, apart, paint, dash, label in shown
    ]
    layers.append(Rules(at=np.array([FSC_THRESHOLD]), horizontal=True, label=f"{FSC_THRESHOLD}"))
    x = Axis(label="spatial frequency (cycles per pixel)", low=0.0, high=0.5, grid=True)
    y = Axis(label="FSC of half-maps of noise", low=-0.1, high=0.5, grid=True)
    return Figure("shared_noise", (chart(x, y, layers, "FSC of half-maps of pure noise that share particles"),), "").file(file_style())


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
    print(table())

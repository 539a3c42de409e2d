"""Second exposures of a session's own micrographs, computed for the self-test.

A second exposure is blended into another micrograph of the session, the *host*, and replaces it in the search. So the number of
micrographs, their names and order, the camera's fixed pattern, the edge of the beam and hot pixels are those of the session, and noise and
new content are real. Where the two overlap, in each ring of the spectrum,

    planted = g · r · shifted original + √(1 - g²) · host,     g = damage · s,

where s is the share of the original's power that is signal, and r scales the original to the power of the host. Two exposures with
independent noise have a correlation of s in a ring; ``damage`` is the part of it that is left after radiation damage, different motion and
a slightly different defocus: that of the session's own second visits, or :data:`DAMAGE`. Outside the overlap the host is unchanged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.acquisition import Acquisition

Floats = NDArray[np.float64]

DAMAGE = 0.75
"""Share of the correlation that the second exposure keeps, where the session shows too few second visits to measure it.

Chosen on seeds 1 to 3 of simulated sessions (``benches/simulate``), by z of planted exposures over z of true second visits with the same
original and shift. Medians with 0.65, used for screening (``planting.rs``): 0.81 for the kind "plain", 0.76 "dim", 0.85 "beam edge",
1.13 "second visit damaged"; with 0.8: 1.00, 0.95, 1.05, 1.38. With 0.75 on seeds 4 and 5: 0.95, 0.94, 1.00, 1.33, and 0.84 "crowded".
In "crystals" planted exposures are 1.4 times as significant: true ones lose more at the frequencies of the lattice.
"""
OVERLAPS = ((0.5, 0.95), (0.3, 0.5), (0.16, 0.3))
"""Overlaps are drawn from these ranges in turn."""
JITTER = 0.004
"""Standard deviation of the shifts of the shots of a hole, as a share of the frame's width: the scatter of the beam shift."""
CELL = 48
"""Where signal is, is decided in squares of this side, reduced pixels."""
DRAWS = 200
"""Maximum number of shifts drawn to find one within the searched range."""


@dataclass(frozen=True)
class Planted:
    """A second exposure: rows of original and host, and the shift (x, y), in reduced pixels, that superimposes it on the original."""

    original: int
    host: int
    move: tuple[int, int]
    overlap: float


def holes(rows: Sequence[int], acquisitions: Sequence[Acquisition]) -> list[dict[str, int]]:
    """The rows of each hole by shot, in order of first appearance. A row of unknown hole or shot is a hole of its own, with shot ``""``."""
    of_hole: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        known = acquisitions[row]
        named = bool(known.hole and known.shot)
        of_hole[f"hole {known.hole}" if named else f"row {row}"].setdefault(known.shot if named else "", row)
    return list(of_hole.values())


def drawn(
    usable: Sequence[int],
    acquisitions: Sequence[Acquisition],
    size: tuple[int, int],
    duplicates: Collection[tuple[int, int]],
    *,
    number: int,
    turn: int,
    distances: Sequence[int] | None,
    ordinals: Sequence[int],
    max_shift_reduced_px: float | None,
    own_moves: Sequence[tuple[float, float]] = (),
) -> list[Planted]:
    """Chooses which micrographs are exposed again, which hosts they replace, and the shifts.

    Where names give holes, all shots of a hole are exposed again and replace the same shots of a later hole.

    Parameters
    ----------
    usable
        Rows that may be originals or hosts, in the order of exposure.
    duplicates
        Pairs of rows, the smaller first, that already show the same area: they do not become original and host of each other; and hosts are
        in none, as long as there are others, for half of what they show would still be there.
    number
        At least this many are planted, if there are enough micrographs.
    turn
        The round, from 0; it seeds the random choices.
    distances
        Allowed distances between the ordinals of original and host, in a window search; None: any.
    ordinals
        Place of each row in the order of exposure.
    max_shift_reduced_px
        Largest shift along an axis, reduced pixels; None: no limit.
    own_moves
        Shifts of second visits of the session itself, reduced pixels: every other second exposure has one of them.
    """
    rng = np.random.default_rng([10, turn])
    units = holes(usable, acquisitions)
    free = dict(enumerate(units))
    planted: list[Planted] = []
    partnered = {row for pair in duplicates for row in pair}
    turns = turn
    for k in rng.permutation(len(units)):
        if len(planted) >= number:
            break
        if int(k) not in free:
            continue
        unit = free[int(k)]
        hosts = [
            other
            for other, host in free.items()
            if other > k
            and not any((unit[shot], host[shot]) in duplicates for shot in unit.keys() & host.keys())
            and host.keys() == unit.keys()
            and (distances is None or all(ordinals[host[shot]] - ordinals[unit[shot]] in distances for shot in unit))
        ]
        if not hosts:
            continue
        alone = [other for other in hosts if not partnered.intersection(free[other].values())]
        chosen = int(rng.choice(alone or hosts))
        drawn = _move(OVERLAPS[turns % len(OVERLAPS)], size, max_shift_reduced_px, rng)
        move = np.array(own_moves[int(rng.integers(len(own_moves)))]) if own_moves and len(planted) % 2 else drawn
        turns += 1
        for shot, row in unit.items():
            planted.append(
                _planted(row, free[chosen][shot], move if len(unit) == 1 else _jittered(move, size, rng), size, max_shift_reduced_px)
            )
        del free[int(k)], free[chosen]
    return planted


def _move(overlap: tuple[float, float], size: tuple[int, int], max_shift_reduced_px: float | None, rng: np.random.Generator) -> Floats:
    """A shift in a random direction, for an overlap drawn from the range."""
    for _ in range(DRAWS):
        share, angle = rng.uniform(*overlap), rng.uniform(0, 2 * np.pi)
        direction = np.array([np.cos(angle), np.sin(angle)])
        a, b = np.abs(direction) / size
        # (1 - r a) (1 - r b) = share
        length = 2 * (1 - share) / ((a + b) + np.sqrt((a + b) ** 2 - 4 * a * b * (1 - share)))
        move = length * direction
        if max_shift_reduced_px is None or np.abs(move).max() <= max_shift_reduced_px:
            break
    return np.asarray(move)


def _jittered(move: Floats, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    return move + rng.normal(0, JITTER * size[0], 2)


def _planted(original: int, host: int, move: Floats, size: tuple[int, int], max_shift_reduced_px: float | None) -> Planted:
    limit = np.array(size) - 1 if max_shift_reduced_px is None else np.minimum(np.array(size) - 1, np.floor(max_shift_reduced_px))
    x, y = (int(value) for value in np.rint(np.clip(move, -limit, limit)))
    return Planted(original, host, (x, y), (1 - abs(x) / size[0]) * (1 - abs(y) / size[1]))


class Planter:
    """Makes the second exposures of a session of frames of one size (width, height)."""

    def __init__(self, size: tuple[int, int], rings: int, damage: float = DAMAGE) -> None:
        width, height = size
        radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
        self._ring = np.minimum((radius * np.sqrt(2) * rings).astype(int), rings - 1)
        self._rings, self._damage = rings, damage
        self._count = np.bincount(self._ring.ravel(), minlength=rings)

    def second_exposure(self, original: Floats, host: Floats, move: tuple[int, int], signal: Floats) -> Floats:
        """A second exposure of one micrograph in the place of another.

        Parameters
        ----------
        original, host
            Shape (height, width), in standard deviations; pixels of exactly 0 are masked, and remain masked.
        move
            The shift (x, y), in pixels, that superimposes the second exposure on the original.
        signal
            Shape (rings,): the share of the original's power that is signal.
        """
        spectra = [np.fft.rfft2(image) for image in (original, host)]
        share = np.clip(self._damage * signal, 0, 1)
        lift = np.sqrt(self._power(spectra[1]) / np.maximum(self._power(spectra[0]), 1e-20))
        seen = np.fft.irfft2(spectra[0] * (share * lift)[self._ring], s=original.shape)
        other = np.fft.irfft2(spectra[1] * np.sqrt(1 - share**2)[self._ring], s=original.shape)
        of_planted, of_original = common(move, (original.shape[1], original.shape[0]))
        planted = host.copy()
        there = self._where_signal_is(seen, self._power(spectra[1]) * share**2, signal)[of_original]
        inside = there * (seen[of_original] + other[of_planted]) + (1 - there) * host[of_planted]
        masked = (original[of_original] == 0) | (host[of_planted] == 0)
        planted[of_planted] = np.where(masked, 0.0, inside)
        return planted

    def _where_signal_is(self, seen: Floats, power: Floats, signal: Floats) -> Floats:
        """How much of what a micrograph shows at each place is signal, relative to the whole of it, 0 to 1.

        A few beads in empty ice make a share of signal in every ring, but where no bead is, a second exposure has nothing in common.
        ``power``: of ``seen``, in each ring, of which ``signal`` is the share that is no noise.
        """
        height, width = (-(-n // CELL) for n in seen.shape)
        padded = np.pad(seen**2, [(0, n * CELL - m) for n, m in zip((height, width), seen.shape, strict=True)], mode="edge")
        found = padded.reshape(height, CELL, width, CELL).mean(axis=(1, 3)) / max(float(np.mean(seen**2)), 1e-20)
        noise = float(np.sum(power * (1 - signal)) / max(float(np.sum(power)), 1e-20))
        share = np.clip((1 - noise / np.maximum(found, 1e-6)) / max(1 - noise, 1e-6), 0, 1)
        # Cells of one power differ by chance, by 1/n of it in n independent coefficients: what is more is real.
        n = float(np.sum(power) ** 2 / max(float(np.sum(power**2 / np.maximum(self._count, 1))), 1e-20)) * CELL**2 / seen.size
        real = max(0.0, 1 - 1 / max(n * float(np.var(found)), 1e-6))
        return np.repeat(np.repeat(1 - real * (1 - share), CELL, axis=0), CELL, axis=1)[: seen.shape[0], : seen.shape[1]]

    def _power(self, spectrum: NDArray[np.complex128]) -> Floats:
        """The sum of the powers of each ring."""
        powers: Floats = np.bincount(self._ring.ravel(), np.abs(spectrum.ravel()) ** 2, self._rings).astype(float)
        return powers


def common(move: tuple[int, int], size: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices (rows, columns) of the overlap: in the second exposure, and in the original."""
    second = [slice(max(0, -d), n - max(0, d)) for d, n in zip(move, size, strict=True)]
    first = [slice(max(0, d), n - max(0, -d)) for d, n in zip(move, size, strict=True)]
    return (second[1], second[0]), (first[1], first[0])

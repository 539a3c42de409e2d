"""Projections of a particle, noise of one length scale, and the microscope's contrast transfer at 300 kV."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Image = NDArray[np.float32]
PIXEL_SIZE_A = 6.64
WIDTH, HEIGHT = 720, 512
PAD = 32
"""Rendered around the frame, so that the transform's wrap-around stays outside."""
GRID = (fft.next_fast_len(HEIGHT + 2 * PAD, real=True), fft.next_fast_len(WIDTH + 2 * PAD, real=True))
DOSE_PER_A2 = 50.0
WAVELENGTH_A, CS_A, AMPLITUDE_CONTRAST = 0.0197, 2.7e7, 0.08

_FX = np.fft.rfftfreq(GRID[1], PIXEL_SIZE_A).astype(np.float32)[None]
_FY = np.fft.fftfreq(GRID[0], PIXEL_SIZE_A).astype(np.float32)[:, None]
_S2 = _FX**2 + _FY**2


def transfer(defocus_um: float, b_factor_a2: float, phase_shift: float = 0.0) -> Image:
    """Weak-phase contrast transfer on the half plane of :data:`GRID`, with the envelope of a B factor; ``phase_shift``: radians."""
    chi = np.float32(np.pi * WAVELENGTH_A * 1e4 * defocus_um) * _S2 - np.float32(0.5 * np.pi * CS_A * WAVELENGTH_A**3) * _S2**2
    out: Image = -2 * np.sin(chi + np.float32(np.arcsin(AMPLITUDE_CONTRAST) + phase_shift)) * np.exp(np.float32(-b_factor_a2 / 4) * _S2)
    return out


def imaged(phase: Image, defocus_um: float, b_factor_a2: float, phase_shift: float = 0.0) -> Image:
    """Relative contrast of a phase object of shape :data:`GRID`."""
    out: Image = fft.irfft2(fft.rfft2(phase) * transfer(defocus_um, b_factor_a2, phase_shift), s=GRID)
    return out


class Particle:
    """A molecule of Gaussian blobs, seen from some directions."""

    def __init__(self, rng: np.random.Generator, diameter_a: float = 150.0, views: int = 48) -> None:
        blobs = 70
        axes = diameter_a / 2 * rng.uniform(0.55, 1.0, 3)
        direction = rng.normal(size=(blobs, 3))
        direction /= np.linalg.norm(direction, axis=1)[:, None]
        self._at = direction * rng.random((blobs, 1)) ** (1 / 3) * axes * 0.85
        self._sigma, self._weight = rng.uniform(5, 11, blobs), rng.uniform(0.4, 1.0, blobs)
        self._turns = [_rotation(rng) for _ in range(views)]
        self.half = int(np.ceil(0.65 * diameter_a / PIXEL_SIZE_A)) + 2
        self.diameter_px = diameter_a / PIXEL_SIZE_A
        self._unit = self._render(np.eye(2)).mean()

    def views(self, turn: NDArray[np.float64]) -> Image:
        """Projections, float32 (views, side, side), moved by a matrix of two rows: 2 x 2 in the plane, or 2 x 3."""
        return self._render(turn) / self._unit

    def _render(self, turn: NDArray[np.float64]) -> Image:
        grid = np.arange(-self.half, self.half + 1) * PIXEL_SIZE_A
        # Blobs narrower than a pixel are as wide as one: what is finer the pixels average.
        sigma = np.hypot(self._sigma, 0.35 * PIXEL_SIZE_A)
        out = []
        for rotation in self._turns:
            at = (self._at @ rotation.T)[:, : turn.shape[1]] @ turn.T
            along_x = np.exp(-((grid[None] - at[:, :1]) ** 2) / (2 * sigma[:, None] ** 2))
            along_y = np.exp(-((grid[None] - at[:, 1:]) ** 2) / (2 * sigma[:, None] ** 2))
            out.append((along_y * (self._weight / sigma**2)[:, None]).T @ along_x)
        return np.array(out, np.float32)


def amplitude(particle: Particle, snr: float) -> float:
    """Scale of the views for a signal-to-noise ratio a pixel inside particles, at 0.83 Å a pixel and 1.5 µm defocus."""
    views = particle.views(np.eye(2))[:8]
    side = views.shape[1]
    power = []
    for view in views:
        phase = np.zeros(GRID, np.float32)
        phase[:side, :side] = view
        contrast = np.roll(imaged(phase, 1.5, 60.0), 0)[:side, :side]
        inside = view > 0.15 * view.max()
        power.append(float((contrast[inside] ** 2).mean()))
    return float(np.sqrt(snr / (DOSE_PER_A2 * 0.83**2)) / np.sqrt(np.mean(power)))


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def smooth(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> Image:
    """Gaussian noise of variance 1, blurred; made on a coarse grid where that is enough."""
    step = max(1, int(sigma_px / 3))
    small = tuple(n // step + 8 for n in shape)
    fy, fx = np.fft.fftfreq(small[0])[:, None], np.fft.rfftfreq(small[1])[None]
    blur = np.exp(-2 * (np.pi * sigma_px / step) ** 2 * (fx**2 + fy**2)).astype(np.float32)
    image = fft.irfft2(fft.rfft2(rng.standard_normal(small, dtype=np.float32)) * blur, s=small)
    image /= image.std()
    if step > 1:
        y, x = np.linspace(2, small[0] - 6, shape[0]), np.linspace(2, small[1] - 6, shape[1])
        top, left = y.astype(int), x.astype(int)
        down, right = (y - top)[:, None].astype(np.float32), (x - left)[None].astype(np.float32)
        rows = image[top] * (1 - down) + image[top + 1] * down
        image = rows[:, left] * (1 - right) + rows[:, left + 1] * right
    return np.asarray(image[: shape[0], : shape[1]], np.float32)

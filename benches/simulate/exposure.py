"""What the camera records of a scene at one visit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from .kinds import Kind
from .optics import DOSE_PER_A2, GRID, HEIGHT, PIXEL_SIZE_A, WIDTH, Image, Particle, amplitude, imaged, smooth
from .scene import MARGIN, Scene

ELECTRONS = DOSE_PER_A2 * PIXEL_SIZE_A**2
CORNER = ((GRID[1] - WIDTH) // 2, (GRID[0] - HEIGHT) // 2)
MIDDLE = np.array([WIDTH / 2, HEIGHT / 2])


@dataclass(frozen=True)
class Place:
    """Where the camera looks: pixel p shows the scene at ``MIDDLE + matrix (p - MIDDLE) + offset``.

    ``tilt_deg``: of the stage, around an axis along x; the matrix holds its foreshortening.
    """

    offset: tuple[float, float] = (0.0, 0.0)
    matrix: NDArray[np.float64] | None = None
    tilt_deg: float = 0.0

    @property
    def turn(self) -> NDArray[np.float64]:
        return np.eye(2) if self.matrix is None else self.matrix

    @property
    def projection(self) -> NDArray[np.float64]:
        """From a place in a particle, (x, y, z), to one in the frame."""
        return np.column_stack([np.linalg.inv(self.turn), [0.0, np.sin(np.deg2rad(self.tilt_deg))]])

    def to_frame(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """From the scene to the frame."""
        found: NDArray[np.float64] = (at - MIDDLE - self.offset) @ np.linalg.inv(self.turn).T + MIDDLE
        return found

    def to_scene(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """From the frame to the scene."""
        found: NDArray[np.float64] = (at - MIDDLE) @ self.turn.T + MIDDLE + self.offset
        return found


class Camera:
    """One camera, gain reference and microscope of a session."""

    def __init__(self, kind: Kind, particle: Particle, seed: int) -> None:
        self.kind, self.particle, self.seed = kind, particle, seed
        rng = np.random.default_rng([seed, 99])
        shape = (HEIGHT, WIDTH)
        pattern = 0.006 / 8 * rng.standard_normal(shape) + 0.0028 * smooth(rng, shape, 3) + 0.0028 * smooth(rng, shape, 20)
        pattern += 0.004 / 3 / np.sqrt(8) * rng.standard_normal((1, WIDTH))
        for x in np.linspace(0, WIDTH, 9)[1:-1].astype(int):
            pattern[:, x] += 0.008
        self.gain = (1 + kind.pattern * pattern).astype(np.float32)
        columns = rng.integers(0, WIDTH, kind.dead_columns)
        self.gain[:, columns] *= 1 - 1 / 8
        self.gain[rng.integers(0, HEIGHT, min(kind.dead_columns, 1)), :] *= 1 - 1 / 8
        self.hot = (rng.integers(0, HEIGHT, kind.hot_pixels), rng.integers(0, WIDTH, kind.hot_pixels))
        self.hot_counts = np.sqrt(ELECTRONS) * rng.uniform(4, 80, kind.hot_pixels)
        other = np.random.default_rng([seed, 98])
        self.odd_gains = []
        for _ in range(kind.odd_gains):
            fine, coarse = other.standard_normal(shape, dtype=np.float32), smooth(other, shape, 3)
            pattern = np.sqrt(1 - kind.odd_coarse**2) * fine + kind.odd_coarse * coarse
            self.odd_gains.append((self.gain * (1 + kind.odd_residual * pattern)).astype(np.float32))
        self.beam = np.array([70.0, 40.0]) + rng.normal(0, 20, 2)
        self.scale = amplitude(particle, kind.snr)

    def expose(
        self, scene: Scene, place: Place, visit: int, serial: int, dose: float = 1.0, specimen: bool = True, odd: int | None = None
    ) -> Image:
        """Electrons a pixel, float32 (HEIGHT, WIDTH); ``odd``: the number of another gain reference."""
        kind = self.kind
        rng = np.random.default_rng([self.seed, 5, serial])
        expected = ELECTRONS * dose * (kind.second_dose if visit else 1.0) * self.illumination(rng)
        if specimen:
            expected = expected * self.specimen(scene, place, visit, rng)
        np.maximum(expected, 0.003 * ELECTRONS * dose, out=expected)
        image = (expected + np.sqrt(expected) * rng.standard_normal(expected.shape, dtype=np.float32)) * self._gain(serial, odd)
        image[self.hot] += (self.hot_counts * rng.uniform(0.8, 1.2, kind.hot_pixels)).astype(np.float32)
        rays = (rng.integers(0, HEIGHT, kind.x_rays), rng.integers(0, WIDTH, kind.x_rays))
        image[rays] += np.sqrt(ELECTRONS).astype(np.float32) * rng.uniform(5, 300, kind.x_rays).astype(np.float32)
        return np.asarray(image, np.float32)

    def _gain(self, serial: int, odd: int | None) -> Image:
        gain = self.gain if odd is None else self.odd_gains[odd]
        if not self.kind.texture_moves:
            return gain
        moved = np.random.default_rng([self.seed, 97, serial]).normal(0, self.kind.texture_moves, 2)
        return np.roll(gain, np.rint(moved).astype(int), (0, 1))

    def illumination(self, rng: np.random.Generator) -> Image:
        centre, width = rng.normal(size=2) * 0.12, rng.uniform(1.4, 2.2)
        y = (np.linspace(-0.5, 0.5, HEIGHT, dtype=np.float32) - np.float32(centre[1]))[:, None]
        x = (np.linspace(-0.5, 0.5, WIDTH, dtype=np.float32) - np.float32(centre[0]))[None]
        beam = rng.uniform(0.95, 1.05) * np.exp(-(x * x + y * y) / np.float32(2 * width**2))
        if self.kind.beam_edge is not None:
            middle = MIDDLE + self.beam + rng.normal(0, self.kind.beam_edge, 2)
            y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
            inside = 410 - np.hypot(x - np.float32(middle[0]), y - np.float32(middle[1]))
            fringes = 1 + 0.25 * np.exp(-np.abs(inside) / 8) * np.cos(inside / 2.0) * (inside > 0)
            beam = beam * fringes * (0.01 + 0.99 / (1 + np.exp(-np.clip(inside / 1.5, -30, 30))))
        return np.asarray(beam, np.float32)

    def specimen(self, scene: Scene, place: Place, visit: int, rng: np.random.Generator) -> Image:
        """Transmission times contrast."""
        kind = self.kind
        x, y = self._world(place)
        phase = self._particles(scene, place, visit) + self._objects(scene, x, y)
        phase += 0.35 / np.float32(np.sqrt(ELECTRONS)) * rng.standard_normal(GRID, dtype=np.float32)
        transmission = np.exp(-self._thickness(scene, x, y, visit, rng))
        inner = phase[CORNER[1] : CORNER[1] + HEIGHT, CORNER[0] : CORNER[0] + WIDTH]
        if scene.hole_spacing:
            spacing = scene.hole_spacing
            u, v = ((along - origin) % spacing - spacing / 2 for along, origin in ((x, scene.holes_at[0]), (y, scene.holes_at[1])))
            film = 1 / (1 + np.exp(-np.clip((np.hypot(u, v) - 0.3 * spacing) / 3, -30, 30)))
            transmission *= 1 - 0.3 * film
        if scene.foil is not None:
            fx, fy, radius = scene.foil
            film = 1 / (1 + np.exp(-np.clip((np.hypot(x - fx, y - fy) - radius) * (PIXEL_SIZE_A / 25), -30, 30)))
            gold = kind.foil and not kind.carbon_foil
            if not gold:
                inner += film * _look_up(scene.carbon(), x, y, place) * np.float32(0.6 / np.sqrt(DOSE_PER_A2 * 0.83**2) / 3.4)
            transmission *= 1 - (0.96 if gold else 0.12) * film
        for at_x, at_y in scene.beads:
            near = _near(place, (at_x, at_y), 12)
            transmission[near] *= 1 - 0.35 / (1 + np.exp((np.hypot(x[near] - at_x, y[near] - at_y) - 7.5) / 0.5))
        for at_x, at_y, radius, opacity in scene.spots:
            near = _near(place, (at_x, at_y), 2.2 * radius)
            spot = np.exp(-((((x[near] - at_x) ** 2 + (y[near] - at_y) ** 2) / radius**2) ** 2))
            transmission[near] *= 1 - opacity * spot
            inner[near] += np.float32(0.4 * opacity) * spot
        for at_x, at_y, radius in scene.rings:
            inner += np.float32(8 * self.scale) * np.exp(-(((np.hypot(x - at_x, y - at_y) - radius) / 2.5) ** 2))
        transmission *= np.exp(-self._flakes(scene, place, x, y, visit))
        defocus = scene.defocus_um + (kind.defocus_change_um * rng.normal() if visit else 0.0)
        contrast = self._contrast(phase, defocus, 60 + kind.damage_b_a2 * visit, place.tilt_deg or kind.tilt)
        return np.asarray(np.maximum(transmission * (1 + contrast), 0.005), np.float32)

    def _objects(self, scene: Scene, x: Image, y: Image) -> Image:
        """Projected shells of viruses and tubes; the frame alone, 0 around it."""
        out = np.zeros(GRID, np.float32)
        inner = out[CORNER[1] : CORNER[1] + HEIGHT, CORNER[0] : CORNER[0] + WIDTH]
        for at_x, at_y, radius in scene.viruses:
            inner += np.float32(0.13 * radius * self.scale) * _shell(np.hypot(x - np.float32(at_x), y - np.float32(at_y)), radius)
        for at_x, at_y, angle, radius in scene.tubes:
            across = (x - np.float32(at_x)) * np.float32(np.sin(angle)) - (y - np.float32(at_y)) * np.float32(np.cos(angle))
            inner += np.float32(3 * self.scale) * _shell(np.abs(across), radius)
        return out

    def _contrast(self, phase: Image, defocus: float, b_factor: float, tilt_deg: float) -> Image:
        shift = np.pi / 2 if self.kind.phase_plate else 0.0
        frame = (slice(CORNER[1], CORNER[1] + HEIGHT), slice(CORNER[0], CORNER[0] + WIDTH))
        if not tilt_deg:
            return imaged(phase, defocus, b_factor, shift)[frame]
        slope = np.tan(np.deg2rad(tilt_deg)) * HEIGHT * PIXEL_SIZE_A * 1e-4 / 2
        ends = [imaged(phase, defocus + side * slope, b_factor, shift)[frame] for side in (-1, 0, 1)]
        t = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
        return np.asarray(ends[1] * (1 - np.abs(t)) + ends[0] * np.maximum(-t, 0) + ends[2] * np.maximum(t, 0))

    def _world(self, place: Place) -> tuple[Image, Image]:
        y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
        if place.matrix is None:
            return x + np.float32(place.offset[0]), y + np.float32(place.offset[1])
        at = place.to_scene(np.stack([x, y], -1))
        return at[..., 0].astype(np.float32), at[..., 1].astype(np.float32)

    def _particles(self, scene: Scene, place: Place, visit: int) -> Image:
        kind = self.kind
        views = self.particle.views(place.projection) * np.float32(self.scale * kind.damage_contrast**visit)
        rng = np.random.default_rng([*scene.seed, 6, visit])
        at = scene.at + rng.normal(size=scene.at.shape) * (kind.damage_move_a / PIXEL_SIZE_A * visit)
        # All move by the same part of a pixel: the whole image is moved by it.
        part = np.array(place.offset) % 1 if place.matrix is None else np.zeros(2)
        at = np.rint(at) - (np.array(place.offset) - part) if part.any() else place.to_frame(at)
        half = self.particle.half
        phase = np.zeros(GRID, np.float32)
        corners = np.rint(at).astype(int) + CORNER - half
        side = 2 * half + 1
        inside = ((corners >= 0) & (corners + side <= (GRID[1], GRID[0]))).all(axis=1)
        for (left, top), view in zip(corners[inside], scene.view[inside], strict=True):
            phase[top : top + side, left : left + side] += views[view]
        if part.any():
            phase = ndimage.fourier_shift(fft.rfft2(phase), -part[::-1], GRID[1], axis=1)
            phase = fft.irfft2(phase, s=GRID).astype(np.float32)
        return phase

    def _thickness(self, scene: Scene, x: Image, y: Image, visit: int, rng: np.random.Generator) -> Image:
        u, v = x / np.float32(WIDTH) - np.float32(0.5), y / np.float32(HEIGHT) - np.float32(0.5)
        k = scene.thickness.astype(np.float32)
        thick = np.float32(0.12 + 0.5 * self.kind.ice_gradient) + k[0] * u + k[1] * v + k[2] * u * u + k[3] * v * v + k[4] * u * v
        if visit:
            change = (rng.normal(size=2) * 0.03).astype(np.float32)
            thick = thick * np.float32(0.9) + change[0] * u + change[1] * v
        return np.asarray(np.maximum(thick, 0.01))

    def _flakes(self, scene: Scene, place: Place, x: Image, y: Image, visit: int) -> Image:
        """Opacity of ice flakes; those of a later visit lie elsewhere, and some are new."""
        flakes = scene.flakes
        if visit and self.kind.moving_flakes and len(flakes):
            rng = np.random.default_rng([*scene.seed, 8, visit])
            flakes = flakes.copy()
            flakes[:, :2] += rng.normal(0, 30, (len(flakes), 2))
            new = rng.random(len(flakes)) < 0.3
            flakes[new, :2] = rng.uniform((-MARGIN, -MARGIN), (WIDTH + MARGIN, HEIGHT + MARGIN), (int(new.sum()), 2))
        out = np.zeros((HEIGHT, WIDTH), np.float32)
        for at_x, at_y, radius, opacity in flakes:
            near = _near(place, (at_x, at_y), radius + 20)
            distance = np.hypot(x[near] - np.float32(at_x), (y[near] - np.float32(at_y)) * np.float32(1.2))
            out[near] += np.float32(opacity) / (1 + np.exp(np.clip((distance - np.float32(radius)) / np.float32(1.2), -30, 30)))
        return out


def _near(place: Place, at: tuple[float, float], radius: float) -> tuple[slice, slice]:
    """Rows and columns of the frame that show all within a radius of a place of the scene."""
    corners = np.array(at) + radius * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    shown = place.to_frame(corners)
    low = np.clip(np.floor(shown.min(axis=0)), 0, (WIDTH, HEIGHT)).astype(int)
    high = np.clip(np.ceil(shown.max(axis=0)) + 1, 0, (WIDTH, HEIGHT)).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _shell(distance: Image, radius: float, wall: float = 8.0) -> Image:
    """The projection of a shell, or a tube's wall: the path through it at a distance from its middle, in units of its thickness."""
    outer = np.sqrt(np.maximum(radius**2 - distance**2, 0))
    inner = np.sqrt(np.maximum((radius - wall) ** 2 - distance**2, 0))
    return np.asarray(2 * (outer - inner) / wall, np.float32)


def _look_up(texture: Image, x: Image, y: Image, place: Place) -> Image:
    left, top = round(float(x[0, 0])) + MARGIN, round(float(y[0, 0])) + MARGIN
    inside = 0 <= left <= texture.shape[1] - WIDTH and 0 <= top <= texture.shape[0] - HEIGHT
    if place.matrix is None and inside:
        return texture[top : top + HEIGHT, left : left + WIDTH]
    return np.asarray(ndimage.map_coordinates(texture, [y + MARGIN, x + MARGIN], order=1, mode="mirror"))


def dose_weighted(image: Image, dose_per_a2: float = DOSE_PER_A2) -> Image:
    """The same exposure, high frequencies weighted down as damaged (shape of Grant and Grigorieff 2015)."""
    fy, fx = np.fft.fftfreq(image.shape[0], PIXEL_SIZE_A)[:, None], np.fft.rfftfreq(image.shape[1], PIXEL_SIZE_A)[None]
    critical = 0.245 * np.maximum(np.hypot(fx, fy), 1e-4) ** -1.665 + 2.81
    weight = (1 - np.exp(-dose_per_a2 / 2 / critical)) / (dose_per_a2 / 2 / critical)
    out: Image = fft.irfft2(fft.rfft2(image) * weight.astype(np.float32), s=image.shape)
    return out

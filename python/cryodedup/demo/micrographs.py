"""A simulated session in which some holes are imaged twice.

Each shot of a hole looks at a scene of its own: blobs for particles, faint texture, on some a carbon edge. A second visit sees the same
scene through a moved window, with new noise and another beam. All images have the same residual of the gain reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import naming
from cryodedup.formats.star_output import optics, write_frames
from cryodedup.micrographs.result import MicrographOutcome

WIDTH, HEIGHT = 720, 512
PIXEL_SIZE_A = 3.3
HOLES, SHOTS, AGAIN = 12, 3, 3
PARTICLES, SIDE = 220, 24
"""In a frame, and the pixels of each one's side."""
BIN = 2
"""What the images are to be reduced by: they are small already."""
Image = NDArray[Any]


@dataclass(frozen=True)
class Planted:
    """Holds what there is to be found.

    Attributes
    ----------
    star
        Where the session is.
    pairs
        Pairs of names that show the same, with the move (x, y) in pixels that lays the second on the first.
    particles
        For each name in ``star`` the centres of the particles in the frame, float64 (n, 2), pixels.
    """

    star: Path
    pairs: dict[tuple[str, str], tuple[float, float]]
    particles: dict[str, NDArray[np.float64]]

    def compare(self, result: MicrographOutcome) -> tuple[int, int, float]:
        """How many planted pairs were found, how many others, and the largest error of the found shifts in pixels."""
        found = {
            (Path(result.names[pair.first]).name, Path(result.names[pair.second]).name): np.array(pair.shift_px) for pair in result.pairs
        }
        right = found.keys() & self.pairs.keys()
        errors = [float(np.abs(found[names] - self.pairs[names]).max()) for names in right]
        return len(right), len(found.keys() - right), max(errors, default=0.0)


def make_micrographs(directory: Path, seed: int = 1) -> Planted:
    """Writes the session into ``directory``: images as float16 MRC with EPU's names, and ``micrographs.star``."""
    import mrcfile

    rng = np.random.default_rng(seed)
    images = directory / "Micrographs"
    images.mkdir(parents=True, exist_ok=True)
    for earlier in images.glob("FoilHole_*_Data_*.mrc"):  # of another seed, under other names
        earlier.unlink()
    gain = 1 + 0.004 * _smooth(rng, (HEIGHT, WIDTH), 4) + 0.003 * rng.standard_normal((HEIGHT, WIDTH))
    visits = [(hole, hole, 0.0, 0.0) for hole in range(HOLES)]
    for hole in rng.choice(HOLES - 2, AGAIN, replace=False):
        x, y = (float(move) for move in rng.integers((-220, -150), (221, 151)))
        visits.insert(int(rng.integers(hole + 2, len(visits) + 1)), (int(hole), HOLES + len(visits), x, y))
    seen: dict[tuple[int, int], str] = {}
    particles: dict[str, NDArray[np.float64]] = {}
    pairs: dict[tuple[str, str], tuple[float, float]] = {}
    for number, (scene, hole, x, y) in enumerate(visits):
        for shot in range(SHOTS):
            jitter = rng.integers(-3, 4, 2) * (hole != scene)
            offset = (int(x) + int(jitter[0]), int(y) + int(jitter[1]))
            time = f"10{number:02d}{15 * shot:02d}"
            name = f"FoilHole_{1000 + hole}_Data_{200 + shot}_{300 + shot}_20260115_{time}"
            image, particles[f"Micrographs/{name}.mrc"] = _expose(rng, np.random.default_rng([seed, scene, shot]), offset, gain)
            with naming(images / f"{name}.mrc"), mrcfile.new(images / f"{name}.mrc", overwrite=True) as file:
                file.set_data(image.astype(np.float16))
                file.voxel_size = PIXEL_SIZE_A
            if (scene, shot) in seen:
                pairs[seen[scene, shot], f"{name}.mrc"] = (float(offset[0]), float(offset[1]))
            seen.setdefault((scene, shot), f"{name}.mrc")
    star = directory / "micrographs.star"
    micrographs = {"rlnMicrographName": list(particles), "rlnOpticsGroup": 1}
    write_frames(star, {"optics": optics(rlnMicrographPixelSize=PIXEL_SIZE_A), "micrographs": micrographs})
    return Planted(star, pairs, particles)


def _expose(
    rng: np.random.Generator, scene: np.random.Generator, offset: tuple[int, int], gain: Image
) -> tuple[Image, NDArray[np.float64]]:
    """Returns what the camera records of a scene moved by an offset, electrons a pixel, and centres in it; each scene has its generator."""
    margin = 240
    shape = (HEIGHT + 2 * margin, WIDTH + 2 * margin)
    density = np.zeros(shape)
    corners = (scene.random((int(PARTICLES * density.size / gain.size), 2)) * (shape[0] - SIDE, shape[1] - SIDE)).astype(int)
    for y, x in corners:
        density[y : y + SIDE, x : x + SIDE] += _PARTICLES[int(scene.integers(len(_PARTICLES)))]
    centres = (corners[:, ::-1] + SIDE / 2 - margin - np.array(offset)).astype(float)
    density *= 0.03
    density += 0.006 * _smooth(scene, shape, 1.2)
    if scene.random() < 0.3:
        angle = scene.uniform(0, 2 * np.pi)
        y, x = np.mgrid[: shape[0], : shape[1]]
        along = (x - shape[1] / 2) * np.cos(angle) + (y - shape[0] / 2) * np.sin(angle)
        carbon = 1 / (1 + np.exp(-(along - scene.uniform(0.2, 0.4) * WIDTH) / 3))
        density += carbon * (0.1 + 0.02 * _smooth(scene, shape, 1.0))
    window = density[margin + offset[1] :, margin + offset[0] :][:HEIGHT, :WIDTH]
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    centre = rng.normal(0, 0.2, 2)
    beam = 550 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 12)
    electrons = beam * (1 - window)
    recorded: Image = (electrons + np.sqrt(electrons) * rng.standard_normal(electrons.shape)) * gain
    return recorded, centres[((centres > 0) & (centres < (WIDTH, HEIGHT))).all(axis=1)]


def _smooth(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Image:
    """Noise of variance 1, blurred by a Gaussian of so many pixels."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    blur = np.exp(-2 * np.pi**2 * sigma**2 * (fx**2 + fy**2))
    image: Image = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * blur, s=shape)
    image /= image.std()
    return image


def _particle(rng: np.random.Generator) -> Image:
    """A view of some molecule: a few blobs, mean 0 as with phase contrast."""
    y, x = np.mgrid[-SIDE // 2 : SIDE // 2, -SIDE // 2 : SIDE // 2]
    blobs = [(*rng.normal(0, 4, 2), rng.uniform(1.2, 2.5)) for _ in range(12)]
    image = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * s * s)) for a, b, s in blobs)
    view: Image = np.asarray(image) * np.exp(-(((x * x + y * y) / 100.0) ** 2))
    view -= view.mean()
    view /= view.max()
    return view


_PARTICLES = [_particle(np.random.default_rng(view)) for view in range(24)]

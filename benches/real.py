"""What the search finds and invents among real micrographs: frames of one session, no two of which show one place.

    python benches/real.py FOLDER [--bin 2] [--seed 1] [--parts 4]

Prints the pairs found among the frames, all of which are false, and among their parts (4: quarters); then, as a table, what is found of
second exposures that are made of them. Two windows of each frame are cut out, which overlap by a share; in the second, each ring of the
spectrum keeps a part g of the first and gets noise of its own, of the power of the ring:

    second = g · (moved window) + √(1 - g²) · noise,     g = s · loss,

where s is the share of the ring's power above its power at the highest frequencies. Two exposures with the same signal and independent shot
noise correlate by s in a ring. The loss is that of a lower dose, of motion and radiation damage (an envelope), or none; the shift is not a
whole number of pixels; and the second may be rotated.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import mrcfile
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cryodedup import MicrographParams, find_duplicate_micrographs

Image = NDArray[np.float32]
OVERLAPS = (0.9, 0.7, 0.5, 0.3)
WINDOW = 0.64
"""Sides of the windows, as a share of those of the frame: two of them that lie in opposite corners overlap by 0.19."""
NOISE_FROM = 0.45
"""Shot noise is measured from this frequency on, cycles a pixel."""


@dataclass(frozen=True)
class Loss:
    """How a second exposure differs from the first: the part of the signal it keeps by frequency, cycles a pixel, and its rotation."""

    name: str
    keeps: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    turn_deg: float = 0.0


LOSSES = (
    Loss("none", np.ones_like),
    Loss("half of the signal", lambda frequency: np.full_like(frequency, 0.5)),
    Loss("a quarter of the signal", lambda frequency: np.full_like(frequency, 0.25)),
    Loss("blurred to half at 0.1 cycles a pixel", lambda frequency: np.exp(np.log(0.5) * (frequency / 0.1) ** 2)),
    Loss("rotated by 0.5°", np.ones_like, 0.5),
    Loss("half of the signal, blurred, rotated by 0.5°", lambda frequency: 0.5 * np.exp(np.log(0.5) * (frequency / 0.1) ** 2), 0.5),
)


def frames_of(folder: Path) -> dict[str, Image]:
    """The frames of a folder of MRC files, by name."""
    return {path.stem: np.asarray(mrcfile.read(path), np.float32) for path in sorted(folder.glob("*.mrc"))}


def parts_of(frames: dict[str, Image], parts: int) -> dict[str, Image]:
    """Each frame cut into so many parts, a square number."""
    along = round(parts**0.5)
    ny, nx = (side // along for side in next(iter(frames.values())).shape)
    places = [(row * ny, column * nx) for row in range(along) for column in range(along)]
    return {f"{name}_{k}": image[y : y + ny, x : x + nx] for name, image in frames.items() for k, (y, x) in enumerate(places)}


def second_exposure(frame: Image, size: tuple[int, int], start: tuple[float, float], loss: Loss, rng: np.random.Generator) -> Image:
    """A window (rows, columns) of a frame from a place between pixels on, with noise of its own."""
    mean, sd = float(frame.mean()), float(frame.std())
    turned = ndimage.rotate(frame - mean, loss.turn_deg, reshape=False, order=3, mode="reflect") if loss.turn_deg else frame - mean
    seen = ndimage.shift(turned, [-at for at in start], order=3, mode="reflect")[: size[0], : size[1]]
    frequency = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None])
    ring = np.minimum((frequency * 400).astype(int), 200)
    spectrum = np.fft.rfft2(seen)
    power = np.bincount(ring.ravel(), np.abs(spectrum.ravel()) ** 2) / np.maximum(np.bincount(ring.ravel()), 1)
    share = np.clip(1 - power[int(NOISE_FROM * 400) :].mean() / np.maximum(power, 1e-20), 0, 1)
    kept = share[ring] * loss.keeps(frequency)
    noise = np.fft.rfft2(rng.standard_normal(size)) * np.sqrt(power[ring] / (size[0] * size[1]))
    made = np.fft.irfft2(kept * spectrum + np.sqrt(1 - kept**2) * noise, s=size)
    return np.asarray(made / made.std() * sd + mean, np.float32)


def planted(frames: dict[str, Image], overlap: float, loss: Loss, seed: int) -> dict[str, Image]:
    """First and second exposures, of names that begin with ``a`` and ``b``."""
    rng = np.random.default_rng(seed)
    session = {}
    for name, frame in frames.items():
        size = (round(WINDOW * frame.shape[0]), round(WINDOW * frame.shape[1]))
        free = [whole - side for whole, side in zip(frame.shape, size, strict=True)]
        move = _move(overlap, size, free, rng)
        first = [int(rng.integers(max(0, -m) + 1, f - max(0, m))) for m, f in zip(move, free, strict=True)]
        session[f"a_{name}"] = frame[first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
        session[f"b_{name}"] = second_exposure(frame, size, (first[0] + move[0], first[1] + move[1]), loss, rng)
    return session


def _move(overlap: float, size: tuple[int, int], free: list[int], rng: np.random.Generator) -> tuple[float, float]:
    """A move (down, across) in any direction that gives the overlap and fits into the frame."""
    while True:
        down = rng.uniform(0, 1 - overlap)
        move = (down * size[0], (1 - overlap / (1 - down)) * size[1])
        if all(along < room - 2 for along, room in zip(move, free, strict=True)):
            return tuple(float(sign * along) for sign, along in zip(rng.choice([-1, 1], 2), move, strict=True))


def found_among(images: dict[str, Image], bin_: int) -> list[tuple[str, str]]:
    """The pairs that the search finds, by name, in alphabetical order."""
    with TemporaryDirectory() as directory:
        for name, image in images.items():
            with mrcfile.new(Path(directory) / f"{name}.mrc") as file:
                file.set_data(np.ascontiguousarray(image))
        result = find_duplicate_micrographs(directory, MicrographParams(bin=bin_, max_removed=1, max_set=len(images)))
    names = [Path(name).stem for name in result.names]
    return [(min(pair), max(pair)) for pair in ((names[one.first], names[one.second]) for one in result.pairs)]


def rows(frames: dict[str, Image], bin_: int, seed: int, losses: Iterable[Loss] = LOSSES) -> Iterable[list[str]]:
    """For each loss its name, and for each overlap how many second exposures are found, of how many, and how many pairs are false."""
    for number, loss in enumerate(losses):
        row = [loss.name]
        for k, overlap in enumerate(OVERLAPS):
            found = set(found_among(planted(frames, overlap, loss, 100 * seed + 10 * number + k), bin_))
            true = {(f"a_{name}", f"b_{name}") for name in frames}
            row.append(f"{len(found & true)}/{len(true)}, {len(found - true)}")
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bin", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parts", type=int, default=4)
    args = parser.parse_args()
    frames = frames_of(args.folder)
    for what, images in (("frames", frames), ("parts", parts_of(frames, args.parts))):
        print(f"{len(found_among(images, args.bin))} pairs found among {len(images)} {what} ({len(images) * (len(images) - 1) // 2} pairs)")
    print("\n| loss | " + " | ".join(f"overlap {overlap:g}" for overlap in OVERLAPS) + " |\n" + "|---" * (1 + len(OVERLAPS)) + "|")
    for row in rows(frames, args.bin, args.seed):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()

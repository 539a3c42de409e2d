"""Writing a session: frames, names, and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import mrcfile
import numpy as np

from .exposure import MIDDLE, Camera, Place, dose_weighted
from .kinds import Kind
from .optics import HEIGHT, PIXEL_SIZE_A, WIDTH, Image, Particle
from .scene import Scene, scene


@dataclass
class Truth:
    """What there is to be found.

    ``pairs``: for two names (the earlier first) the share of the frame in common and the move, in pixels, that lays the second on the
    first, in the middle of what they share. ``versions``: names of other versions of an exposure, by that exposure's name. ``flipped``:
    pairs whose frames are stored in two orientations, with the share of the frame in common.
    """

    names: list[str] = field(default_factory=list)
    pairs: dict[tuple[str, str], tuple[float, tuple[float, float]]] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    flipped: dict[tuple[str, str], float] = field(default_factory=dict)


def make(directory: Path, kind: Kind, seed: int, *, shots: int = 4, duplicates: bool = True, named: bool = True) -> Truth:
    """Writes a session of MRC files into a directory. ``named``: by EPU's rule, which shows holes and shots; else numbered."""
    directory.mkdir(parents=True, exist_ok=True)
    particle = Particle(np.random.default_rng([seed, 0]))
    camera = Camera(kind, particle, seed)
    visits = _schedule(kind, seed, shots, duplicates)
    frames = kind.frames or len(visits) * shots
    truth = Truth()
    seen: list[tuple[int, int, Place]] = []
    orientations: list[str] = []
    rng = np.random.default_rng([seed, 8])
    again = {hole for hole, visit, _ in visits if visit}
    free = [k for k in range(frames) if visits[k // shots][0] not in again]
    rng.shuffle(free)
    failed, blank = set(free[: kind.failed]), set(free[kind.failed : kind.failed + kind.blank])
    odd = {serial: number % kind.odd_gains for number, serial in enumerate(free[-kind.odd_gain :] if kind.odd_gain else [])}
    areas = _areas(kind, frames, shots, seed) if kind.exposures > 1 or kind.spot else []
    for serial in range(frames):
        slot, shot = divmod(serial, shots)
        hole, visit, place = visits[slot]
        place = _jittered(place, np.random.default_rng([seed, 9, serial])) if visit else place
        if areas:
            hole, shot, visit, place = areas[serial]
            slot = hole
        name = _name(slot, shot, serial) if named else f"mic_{serial:05d}"
        of = _montage(kind, particle, seed, serial) if kind.montage else scene(kind, particle, seed, hole, shot)
        dose = rng.uniform(0.0, 0.04) if serial in failed else 1.0
        image = camera.expose(of, place, visit, serial, dose, specimen=serial not in failed, odd=odd.get(serial))
        halves = [camera.expose(of, place, visit, serial + half, 0.5) for half in (100_000, 200_000)] if kind.versions == "halves" else []
        image = halves[0] + halves[1] if halves else image
        if serial in blank:
            image = np.zeros_like(image)
        orientation = _orientation(kind, visit, 2 * serial >= frames)
        image = image[:: -1 if orientation else 1, :: -1 if orientation == "turned" else 1]
        _write(directory, name, image, kind, truth)
        if kind.second_tilt:
            title = "[T = Tilt axis angle = 90.0, binning = 1 spot = 7 camera = 1]"
            text = f"{title}\n[FrameSet = 0]\nTiltAngle = {place.tilt_deg:.3f}\nRotationAngle = 180\n"
            (directory / f"{name}.mrc.mdoc").write_text(text)
        _write_versions(directory, name, halves, serial, kind, image, truth)
        seen.append((hole, shot, place))
        orientations.append(orientation)
        for k in range(serial):
            if seen[k][:2] == (hole, shot) and not {k, serial} & (failed | blank) and not kind.montage:
                share, (x, y) = common(seen[k][2], place)
                if orientations[k] != orientation:
                    truth.flipped[truth_name(truth, k), name] = share
                else:
                    truth.pairs[truth_name(truth, k), name] = share, (x, -y if orientation else y)
    if kind.montage:
        _montage_pairs(kind, frames, truth)
    return truth


def _areas(kind: Kind, frames: int, shots: int, seed: int) -> list[tuple[int, int, int, Place]]:
    """Hole, shot, visit and place of each exposure, where areas are exposed one after the other, or some again and again."""
    rng = np.random.default_rng([seed, 13])
    spots = {serial: k % kind.spots for k, serial in enumerate(rng.choice(frames, kind.spots * kind.spot, replace=False).tolist())}
    found, others, visits = [], 0, [0] * kind.spots
    for serial in range(frames):
        area, visit = divmod(serial, kind.exposures)
        if serial in spots:
            area, visit = frames * shots + spots[serial], visits[spots[serial]]
            visits[spots[serial]] += 1
        elif kind.spot:
            area, visit, others = others, 0, others + 1
        x, y = rng.normal(0, kind.jitter, 2) if visit else (0.0, 0.0)
        # Radiation damage grows up to a third exposure: a spot would be gone after ten.
        found.append((*divmod(area, shots), min(visit, 2), Place((float(x), float(y)))))
    return found


def _orientation(kind: Kind, visit: int, is_later: bool) -> str:
    """How a frame is stored: as it is, "flipped" in y, or "turned" by 180 degrees."""
    if kind.flipped == "half":
        return "flipped" if is_later else ""
    return {"second": "flipped", "turned": "turned"}[kind.flipped] if kind.flipped and visit else ""


def truth_name(truth: Truth, k: int) -> str:
    """The name of the k-th exposure."""
    mains = [name for name in truth.names if not any(name in others for others in truth.versions.values())]
    return mains[k]


def common(first: Place, second: Place) -> tuple[float, tuple[float, float]]:
    """Share of the frame that both see, and the move that lays the second on the first there."""
    grid = np.stack(np.meshgrid(np.arange(4, WIDTH, 8.0), np.arange(4, HEIGHT, 8.0)), -1).reshape(-1, 2)
    there = second.to_frame(first.to_scene(grid))
    inside = ((there >= 0) & (there < (WIDTH, HEIGHT))).all(axis=1)
    if not inside.any():
        return 0.0, (0.0, 0.0)
    move = (grid[inside] - there[inside]).mean(axis=0)
    return float(inside.mean()), (float(move[0]), float(move[1]))


def _schedule(kind: Kind, seed: int, shots: int, duplicates: bool) -> list[tuple[int, int, Place]]:
    """Hole, visit and place of each slot, in order."""
    rng = np.random.default_rng([seed, 1])
    slots = -(-kind.frames // shots) if kind.frames else 24 if shots > 1 else 64
    repeats = (16 if shots == 1 and not kind.frames else kind.repeats) * duplicates
    if kind.frames and shots > 1 and duplicates and slots < 4:
        repeats, slots = 1, max(slots, 2)
    repeats = min(repeats, slots // 2)
    visits: list[tuple[int, int, Place]] = [(slot, 0, Place()) for slot in range(slots)]
    later = sorted(rng.choice(np.arange(repeats, slots), repeats, replace=False).tolist()) if repeats else []
    used: set[int] = set(later)
    for slot in later:
        earlier = [hole for hole in range(slot) if hole not in used]
        if not earlier:
            continue
        hole = int(rng.choice(earlier[-8:]))
        used.add(hole)
        visits[slot] = (hole, 1, _again(kind, rng))
    if kind.triple and later:
        hole = visits[later[0]][0]
        free = [slot for slot in range(later[0] + 1, slots) if slot not in used]
        if free:
            visits[free[-1]] = (hole, 2, _again(kind, rng))
    return visits


def _again(kind: Kind, rng: np.random.Generator) -> Place:
    """A second visit of which a random share is seen again, turned and magnified."""
    share, angle = rng.uniform(*kind.overlap), rng.uniform(0, 2 * np.pi)
    along = np.abs([np.cos(angle) / WIDTH, np.sin(angle) / HEIGHT])
    # (1 - r a) (1 - r b) = share
    a, b = along
    r = (1 - share) / (a + b) if a * b < 1e-9 else ((a + b) - np.sqrt((a + b) ** 2 - 4 * a * b * (1 - share))) / (2 * a * b)
    x, y = np.rint([r * np.cos(angle), r * np.sin(angle)])
    sign = rng.choice([-1, 1])
    if kind.second_tilt:
        return Place((float(x), float(y)), np.diag([1.0, 1 / np.cos(np.deg2rad(kind.second_tilt))]), kind.second_tilt)
    if not (kind.turn or kind.magnification):
        return Place((float(x), float(y)))
    turn, size = np.deg2rad(kind.turn) * sign, 1 + kind.magnification * sign
    return Place((float(x), float(y)), size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]))


def _jittered(place: Place, rng: np.random.Generator) -> Place:
    jitter = np.rint(rng.normal(0, 3, 2))
    return replace(place, offset=(place.offset[0] + float(jitter[0]), place.offset[1] + float(jitter[1])))


def _name(slot: int, shot: int, serial: int) -> str:
    time = f"{serial // 3600:02d}{serial // 60 % 60:02d}{serial % 60:02d}"
    return f"FoilHole_{5330000 + slot}_Data_{5338200 + shot}_{5338300 + shot}_20260115_{time}"


def _write(directory: Path, name: str, image: Image, kind: Kind, truth: Truth) -> None:
    if kind.around_zero:
        image = (image - image.mean()) / max(float(image.std()), 1e-6)
    with mrcfile.new(directory / f"{name}.mrc", overwrite=True) as file:
        file.set_data(np.asarray(image, np.float32))
        file.voxel_size = PIXEL_SIZE_A
    truth.names.append(name)


def _write_versions(directory: Path, name: str, halves: Sequence[Image], serial: int, kind: Kind, image: Image, truth: Truth) -> None:
    others: dict[str, Image] = {}
    if kind.versions == "copy" and serial % 5 == 0:
        others[f"{name}_copy"] = image
    elif kind.versions == "dose-weighted":
        others[f"{name}_DW"] = dose_weighted(image)
    elif kind.versions == "halves":
        others[f"{name}_EVN"], others[f"{name}_ODD"] = halves
    for other, pixels in others.items():
        _write(directory, other, pixels, kind, truth)
        truth.versions.setdefault(name, []).append(other)


_SIDE = 7


def _montage(kind: Kind, particle: Particle, seed: int, serial: int) -> Scene:
    """A tile of one wide layer, whose particles and spots its neighbours see, too."""
    row, column = divmod(serial, _SIDE)
    steps = np.rint((1 - kind.montage) * np.array([WIDTH, HEIGHT]))
    own = scene(kind, particle, seed, serial, 0)
    around = [(r, c) for r in (row - 1, row, row + 1) for c in (column - 1, column, column + 1) if 0 <= r < _SIDE and 0 <= c < _SIDE]
    at, view = [], []
    for r, c in around:
        cell = np.random.default_rng([seed, 77, r, c])
        n = int(200 * steps[0] * steps[1] / (WIDTH * HEIGHT))
        at.append(cell.uniform((0, 0), steps, (n, 2)) + steps * (c - column, r - row))
        view.append(cell.integers(0, 48, n))
    own.at, own.view, own.spots, own.foil = np.concatenate(at), np.concatenate(view), np.zeros((0, 4)), None
    return own


def _montage_pairs(kind: Kind, frames: int, truth: Truth) -> None:
    steps = np.rint((1 - kind.montage) * np.array([WIDTH, HEIGHT]))
    for j in range(frames):
        for i in range(j):
            move = steps * (j % _SIDE - i % _SIDE, j // _SIDE - i // _SIDE)
            share = float(np.prod(np.maximum(1 - np.abs(move) / (WIDTH, HEIGHT), 0)))
            if share > 0:
                truth.pairs[truth.names[i], truth.names[j]] = (share, (float(move[0]), float(move[1])))


__all__ = ["MIDDLE", "Truth", "common", "make"]

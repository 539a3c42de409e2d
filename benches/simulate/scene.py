"""What is in one shot of one hole: the same at every visit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .kinds import Kind
from .optics import HEIGHT, WIDTH, Image, Particle, smooth

MARGIN = 400
"""Pixels around the frame that a moved visit may see."""
Points = NDArray[np.float64]
VIRUSES = {"viruses": 45.0, "large viruses": 62.0}
"""Radii of viruses, in pixels."""


@dataclass
class Scene:
    """World coordinates in pixels; the first visit sees 0 to WIDTH and 0 to HEIGHT.

    ``at``, ``view``: particles and the direction each is seen from. ``foil``: centre and radius of the hole, None: no foil in sight.
    ``spots``: x, y, radius and opacity of small contaminants; ``flakes``: the same of opaque ones. ``viruses``: x, y, radius; ``tubes``: a
    place on each, its angle, its radius; ``beads``: x, y. ``hole_spacing``, ``holes_at``: of a foil of small holes, 0: none.
    """

    defocus_um: float
    at: Points
    view: NDArray[np.int64]
    foil: tuple[float, float, float] | None
    spots: Points
    flakes: Points
    thickness: NDArray[np.float64]
    seed: list[int]
    rings: list[tuple[float, float, float]] = field(default_factory=list)
    viruses: list[tuple[float, float, float]] = field(default_factory=list)
    tubes: list[tuple[float, float, float, float]] = field(default_factory=list)
    beads: list[tuple[float, float]] = field(default_factory=list)
    hole_spacing: float = 0.0
    holes_at: tuple[float, float] = (0.0, 0.0)

    def carbon(self) -> Image:
        """Texture of the carbon film, with the margin around."""
        return smooth(np.random.default_rng([*self.seed, 4]), (HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN), 0.6)


def scene(kind: Kind, particle: Particle, seed: int, hole: int, shot: int) -> Scene:
    """The scene of a shot."""
    rng = np.random.default_rng([seed, 2, hole, shot])
    of_hole = np.random.default_rng([seed, 3, hole])
    defocus = of_hole.uniform(0.8, 2.2) + 0.03 * rng.normal()
    area = (WIDTH + 2 * MARGIN) * (HEIGHT + 2 * MARGIN) / (WIDTH * HEIGHT)
    at, view, rings = _layer(kind, particle, rng, area)
    foil = _foil(kind, rng, shot)
    if foil is not None:
        x, y, radius = foil
        inside = np.hypot(at[:, 0] - x, at[:, 1] - y) < radius
        at, view = at[inside], view[inside]
    spots = rng.poisson(0.7 * area)
    number = abs(kind.flakes) and int(rng.poisson(abs(kind.flakes) * area))
    sizes = (10, 30) if kind.flakes > 0 else (40, 110)
    thickness = of_hole.normal(size=5) * np.array([0.05, 0.05, 0.03, 0.03, 0.03])
    if kind.ice_gradient:
        angle = of_hole.uniform(0, 2 * np.pi)
        thickness[:2] += kind.ice_gradient * of_hole.uniform(0.5, 1) * np.array([np.cos(angle), np.sin(angle)])
    made = Scene(
        defocus_um=defocus,
        at=at,
        view=view,
        foil=foil,
        spots=np.column_stack([_anywhere(rng, spots), rng.uniform(9, 38, spots), rng.uniform(0.02, 0.12, spots)]),
        flakes=np.column_stack([_anywhere(rng, number), rng.uniform(*sizes, number), rng.uniform(0.5, 3, number)]),
        thickness=thickness,
        seed=[seed, 2, hole, shot],
        rings=rings,
    )
    _add_objects(made, kind, np.random.default_rng([seed, 12, hole, shot]), area)
    return made


def _add_objects(scene: Scene, kind: Kind, rng: np.random.Generator, area: float) -> None:
    """Adds what is large: viruses, tubes, beads of gold, a foil of small holes."""
    if kind.layer in VIRUSES:
        radius = VIRUSES[kind.layer]
        scene.viruses = [(x, y, rng.normal(radius, 0.01 * radius)) for x, y in _apart(rng, int(12 * area), 2 * radius + 2)]
    elif kind.layer.startswith("tubes"):
        angles = rng.normal(0.3, np.deg2rad(0.4), 99) if kind.layer.endswith("one angle") else rng.uniform(0, np.pi, 99)
        scene.tubes = [(x, y, angles[k], 19.0) for k, (x, y) in enumerate(_anywhere(rng, int(6 * area)).tolist())]
    elif kind.layer == "beads":
        scene.beads = [(x, y) for x, y in _anywhere(rng, int(5 * area)).tolist()]
    if kind.foil == "lattice":
        scene.hole_spacing = 150.0
        x, y = rng.normal(0, kind.foil_jitter, 2)
        scene.holes_at = (float(x), float(y))


def _apart(rng: np.random.Generator, n: int, distance: float) -> list[tuple[float, float]]:
    """Places that keep a distance, at most ``n``."""
    found: list[tuple[float, float]] = []
    for x, y in _anywhere(rng, 20 * n).tolist():
        if len(found) < n and all(np.hypot(x - a, y - b) >= distance for a, b in found):
            found.append((x, y))
    return found


def _anywhere(rng: np.random.Generator, n: int) -> Points:
    return np.column_stack([rng.uniform(-MARGIN, WIDTH + MARGIN, n), rng.uniform(-MARGIN, HEIGHT + MARGIN, n)])


def _layer(
    kind: Kind, particle: Particle, rng: np.random.Generator, area: float
) -> tuple[Points, NDArray[np.int64], list[tuple[float, float, float]]]:
    views = 48
    d = particle.diameter_px
    if kind.layer in (*VIRUSES, "beads") or kind.layer.startswith("tubes"):
        at = np.zeros((0, 2))
    elif kind.layer == "crowded":
        at = _lattice(rng, d, rng.uniform(0, np.pi))
        at += rng.uniform(-0.1, 0.1, at.shape) * d
    elif kind.layer.startswith("crystal"):
        angle = rng.normal(0.3, np.deg2rad(0.4)) if kind.layer.endswith("one angle") else rng.uniform(0, np.pi)
        at = _lattice(rng, d, angle)
        at += rng.normal(0, 0.015 * d, at.shape)
        at = at[rng.random(len(at)) > 0.05]
        return at, np.full(len(at), 7), []
    elif kind.layer == "filaments":
        starts, angles = _anywhere(rng, int(8 * area)), rng.uniform(0, np.pi, int(8 * area))
        along = np.arange(-900, 900, 0.4 * d)
        at = np.concatenate([s + along[:, None] * [np.cos(a), np.sin(a)] for s, a in zip(starts, angles, strict=True)])
        inside = (np.abs(at - [WIDTH / 2, HEIGHT / 2]) < [WIDTH / 2 + MARGIN, HEIGHT / 2 + MARGIN]).all(axis=1)
        at = at[inside]
    else:
        at = _anywhere(rng, int(rng.integers(kind.particles[0], kind.particles[1] + 1) * area))
    rings = []
    if kind.layer == "vesicles":
        n = int(rng.poisson(5 * area))
        rings = [(x, y, r) for (x, y), r in zip(_anywhere(rng, n), rng.uniform(25, 90, n), strict=True)]
    return at, rng.integers(0, views, len(at)), rings


def _lattice(rng: np.random.Generator, spacing: float, angle: float) -> Points:
    """A hexagonal one of random phase."""
    n = int(1.2 * (WIDTH + 2 * MARGIN) / spacing)
    i, j = (part.ravel() for part in np.mgrid[-n : n + 1, -n : n + 1])
    x, y = spacing * (i + 0.5 * j), spacing * np.sqrt(0.75) * j
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    at = np.column_stack([x, y]) @ turn.T + rng.uniform(0, spacing, 2) + [WIDTH / 2, HEIGHT / 2]
    inside = (np.abs(at - [WIDTH / 2, HEIGHT / 2]) < [WIDTH / 2 + MARGIN, HEIGHT / 2 + MARGIN]).all(axis=1)
    return np.asarray(at[inside])


def _foil(kind: Kind, rng: np.random.Generator, shot: int) -> tuple[float, float, float] | None:
    """The rim of the hole, if it is in sight."""
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    if kind.foil == "hole":
        x, y = middle + rng.normal(0, kind.foil_jitter, 2)
        return x, y, 270 + rng.normal(0, 2)
    if kind.foil == "side":
        # Four shots around the middle of a hole: each sees the rim at its own side.
        angle = np.deg2rad(45 + 90 * shot)
        reach = 300 + rng.normal(0, kind.foil_jitter)
        radius = 600.0
        x, y = middle - (radius - reach) * np.array([np.cos(angle), np.sin(angle)]) + rng.normal(0, kind.foil_jitter, 2)
        return x, y, radius
    if kind.foil == "lattice" or rng.random() >= kind.carbon:
        return None
    angle, radius = rng.uniform(0, 2 * np.pi), 904.0
    extent = abs(np.cos(angle)) * WIDTH / 2 + abs(np.sin(angle)) * HEIGHT / 2
    distance = radius - extent + 2 * extent * rng.uniform(0.02, 0.35)
    x, y = middle - distance * np.array([np.cos(angle), np.sin(angle)])
    return x, y, radius

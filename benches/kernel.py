"""The searches on arrays against what a careful script does with scipy's cKDTree, both sides in one run.

    python benches/kernel.py [--only frames tomogram ...] [--points 10000000] [--repeats 3] [--threads 0]

Needs scipy. Prints medians and their ratio, a case a line; ``docs/speed.md`` has the figures and what they are to be. What has no peer in
scipy, or would need hours there, is compared to the case that its goal names.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from cryodedup import _core
from cryodedup.particles.points import Points

FRAME_A = np.array([5760.0, 4092.0])
PER_FRAME = 300
RADIUS_A = 24.0
TOMOGRAM_A = np.array([10_000.0, 10_000.0, 3000.0])
CURVE_A = np.linspace(590 / 24, 590.0, 24)
"""Separations up to 1.2 times the distance within which 99 % of particles have a neighbour, as on the page."""

Job = Callable[[], Any]


class Side(NamedTuple):
    """What is timed, and its name."""

    name: str
    job: Job


class Case(NamedTuple):
    """Ours, what it is compared to, and whether the results have to be equal."""

    n: int
    ours: Side
    other: Side | None = None
    is_equal: bool = False


class Bench:
    """The cases; each makes its own points, so that only one is in memory."""

    def __init__(self, points: int, threads: int) -> None:
        self.n, self.threads = points, threads
        self.rng = np.random.default_rng(1)

    def frames(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Particles at random in micrographs of 300."""
        return self.rng.random((n, 2)) * FRAME_A, np.arange(n, dtype=np.uint32) // np.uint32(PER_FRAME)

    def select(self, points: np.ndarray, groups: Any = None, scores: Any = None, radius: float = RADIUS_A) -> Side:
        points = np.ascontiguousarray(points, float)
        return Side("cryodedup", lambda: _core.deduplicate(Points(points, groups, scores), radius, threads=self.threads).kept)

    def selections(self) -> dict[str, Callable[[], Case]]:
        n = self.n
        wide = np.sqrt(n / PER_FRAME)

        def frames() -> Case:
            points, groups = self.frames(n)
            return Case(n, self.select(points, groups), Side("cKDTree", lambda: per_frame(points, groups, RADIUS_A)), True)

        def one() -> Case:
            points = self.rng.random((n, 2)) * FRAME_A * wide
            return Case(n, self.select(points), Side("cKDTree", lambda: greedy(points, RADIUS_A)), True)

        def shuffled() -> Case:
            points, groups = self.frames(n)
            scores, mixed = self.rng.random(n), self.rng.permutation(groups)
            return Case(n, self.select(points, mixed, scores), self.select(points, groups, scores)._replace(name="sorted"))

        def tomogram(radius: float, than: float | None = None) -> Case:
            points = self.rng.random((1_000_000, 3)) * 1000
            other = Side("cKDTree", lambda: greedy(points, radius)) if than is None else self.select(points, radius=than)
            return Case(
                len(points), self.select(points, radius=radius), other._replace(name=other.name if than is None else "r 20"), than is None
            )

        def large() -> Case:
            def side(each: int) -> Side:
                points = self.rng.random((n, 2)) * FRAME_A * np.sqrt(each / PER_FRAME)
                return self.select(points, np.arange(n, dtype=np.uint32) // np.uint32(each))

            return Case(n, side(100_000), side(PER_FRAME)._replace(name="of 300"))

        solid = {"3d r 5": lambda: tomogram(5.0), "3d r 20": lambda: tomogram(20.0), "3d r 50": lambda: tomogram(50.0, 20.0)}
        return {"frames": frames, "one frame": one, "shuffled": shuffled, "groups of 100,000": large, **solid}

    def arrangements(self) -> dict[str, Callable[[], Case]]:
        """Of 1 M points in one group, each against as many at random."""
        n = 1_000_000
        shapes: dict[str, Callable[[], np.ndarray]] = {
            "equal": lambda: np.ones((n, 2)),
            "line": lambda: np.stack([self.rng.random(n) * 1e6, np.zeros(n)], axis=1),
            "within": lambda: self.rng.random((n, 2)) * 15,
            "lattice": lambda: self.rng.integers(0, 200, (n, 2)) * 9.0,
            "clumps": lambda: (self.rng.random((1000, 2)) * 1e5)[self.rng.integers(0, 1000, n)] + self.rng.normal(0, 20, (n, 2)),
        }

        def case(shape: Callable[[], np.ndarray]) -> Case:
            random = self.rng.random((n, 2)) * FRAME_A * np.sqrt(n / PER_FRAME)
            return Case(n, self.select(shape()), self.select(random)._replace(name="random"))

        return {name: (lambda shape=shape: case(shape)) for name, shape in shapes.items()}

    def measures(self) -> dict[str, Callable[[], Case]]:
        n = 999_900

        def nearest(dimensions: int) -> Case:
            points, groups = self.frames(n)
            if dimensions == 3:
                points = self.rng.random((n, 3)) * TOMOGRAM_A
            ours = Side("cryodedup", lambda: _core.nearest(Points(points, groups), 1e5, threads=self.threads))
            return Case(n, ours, Side("cKDTree", lambda: nearest_per_frame(points, groups)), True)

        def curve() -> Case:
            points, groups = self.frames(n)
            ours = Side("cryodedup", lambda: _core.kept_at(Points(points, groups), CURVE_A.tolist(), threads=self.threads))
            return Case(n, ours, self.select(points, groups, radius=CURVE_A[-1])._replace(name="one selection"))

        return {"nearest": lambda: nearest(2), "nearest 3d": lambda: nearest(3), "curve": curve}

    def counts(self) -> dict[str, Callable[[], Case]]:
        def places(name: str) -> tuple[np.ndarray, float]:
            if name == "15 A":
                return self.rng.random((60_000, 2)) * 15, 10.0
            if name == "ball":
                points = self.rng.uniform(-100, 100, (1_300_000, 2))
                return points[(points**2).sum(axis=1) <= 1e4][:1_000_000], 100.0
            if name == "3000 A":
                return self.rng.random((200_000, 3)) * TOMOGRAM_A, 3000.0
            return np.stack([self.rng.random(1_000_000) * 1e5, np.zeros(1_000_000)], axis=1), 1000.0

        def pairs(name: str) -> Case:
            points, radius = places(name)
            halves = self.rng.integers(1, 3, len(points)).astype(np.uint8)
            return Case(len(points), Side("cryodedup", lambda: _core.half_pairs(Points(points), halves, radius, threads=self.threads)))

        def overlaps(name: str) -> Case:
            points, radius = places(name)
            sources = self.rng.integers(0, 3, len(points)).astype(np.uint32)
            return Case(len(points), Side("cryodedup", lambda: _core.overlaps(Points(points), sources, 3, radius, threads=self.threads)))

        names = ("15 A", "3000 A", "line", "ball")
        halves = {f"half-sets {name}": (lambda name=name: pairs(name)) for name in names}
        return {**halves, **{f"inputs {name}": (lambda name=name: overlaps(name)) for name in names}}

    def cases(self) -> dict[str, Callable[[], Case]]:
        return {**self.selections(), **self.measures(), **self.counts(), **self.arrangements()}


def greedy(points: np.ndarray, radius: float) -> np.ndarray:
    """What a careful script does: the pairs of a frame, then the points in input order."""
    pairs = cKDTree(points).query_pairs(radius, output_type="ndarray")
    kept = np.ones(len(points), bool)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    for first, second in pairs[order]:
        if kept[first]:
            kept[second] = False
    return kept


def spans(groups: np.ndarray) -> itertools.pairwise:
    return itertools.pairwise(np.flatnonzero(np.diff(groups.astype(np.int64), prepend=-1, append=-1)))


def per_frame(points: np.ndarray, groups: np.ndarray, radius: float) -> np.ndarray:
    return np.concatenate([greedy(points[a:b], radius) for a, b in spans(groups)])


def nearest_per_frame(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return np.concatenate([cKDTree(points[a:b]).query(points[a:b], k=2)[0][:, 1] for a, b in spans(groups)]).astype(np.float32)


def timed(job: Job, repeats: int) -> tuple[float, Any]:
    times, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = job()
        times.append(time.perf_counter() - start)
        if times[-1] > 10:
            break
    return statistics.median(times), result


def show(name: str, case: Case, repeats: int) -> None:
    ours_s, ours = timed(case.ours.job, repeats)
    line = f"{name:18} cryodedup {ours_s:7.3f} s ({ours_s / case.n * 1e9:6.1f} ns/point)"
    if case.other is not None:
        other_s, other = timed(case.other.job, repeats)
        assert not case.is_equal or np.array_equal(ours, other)
        line += f"   {case.other.name} {other_s:7.3f} s   {other_s / ours_s:5.2f} x, {ours_s / other_s:5.2f} of it"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="names of cases, or how they begin")
    parser.add_argument("--points", type=int, default=10_000_000, help="of the first three cases")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0: one a processor")
    args = parser.parse_args()
    for name, make in Bench(args.points, args.threads).cases().items():
        if args.only is None or any(name.startswith(start) for start in args.only):
            show(name, make(), args.repeats)


if __name__ == "__main__":
    main()

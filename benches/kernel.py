"""The selection against a per-frame loop of scipy's cKDTree, both sides in one run.

    python benches/kernel.py [--points 10000000] [--repeats 3]

Needs scipy. Prints medians and their ratio for three shapes: many frames, one large frame, one lattice with many exact ties.
"""

import argparse
import itertools
import statistics
import time

import numpy as np
from scipy.spatial import cKDTree

from cryodedup import deduplicate

RADIUS = 24.0


def greedy(points, radius):
    """What a careful script does: the pairs of a frame, then the points in input order."""
    pairs = cKDTree(points).query_pairs(radius, output_type="ndarray")
    kept = np.ones(len(points), bool)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    for first, second in pairs[order]:
        if kept[first]:
            kept[second] = False
    return kept


def per_frame(points, groups, radius):
    bounds = np.flatnonzero(np.diff(groups, prepend=-1, append=-1))
    return np.concatenate([greedy(points[a:b], radius) for a, b in itertools.pairwise(bounds)])


def timed(job, repeats):
    times, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = job()
        times.append(time.perf_counter() - start)
    return statistics.median(times), result


def compare(name, points, groups, repeats, threads):
    def ours():
        return deduplicate(points, groups, min_separation_a=RADIUS, threads=threads).kept

    def theirs():
        return per_frame(points, groups, RADIUS)

    ours_s, kept = timed(ours, repeats)
    theirs_s, expected = timed(theirs, 1 if len(points) > 1e6 else repeats)
    assert (kept == expected).all()
    n = len(points)
    print(f"{name:34} cryodedup {ours_s:6.3f} s ({ours_s / n * 1e9:5.1f} ns/point)   scipy {theirs_s:6.3f} s   {theirs_s / ours_s:5.1f} x")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    n = args.points
    frame = np.array([5760.0, 4092.0])
    frames = n // 300
    groups = np.repeat(np.arange(frames, dtype=np.uint32), -(-n // frames))[:n]
    compare(f"{frames} frames of 300", rng.random((n, 2)) * frame, groups, args.repeats, args.threads)
    one = np.zeros(n, np.uint32)
    compare(f"1 frame of {n}", rng.random((n, 2)) * frame * np.sqrt(n / 300), one, args.repeats, args.threads)
    m = n // 50
    lattice = rng.integers(0, 200, (m, 2)) * 9.0
    compare(f"1 lattice of {m}, many ties", lattice, one[:m], args.repeats, args.threads)


if __name__ == "__main__":
    main()

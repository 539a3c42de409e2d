"""How often the suggested minimum separation is right, withheld or wrong, on simulated sets with known truth and on real ones.

`python benches/separation.py [--sets N] [--seeds odd|even] [--worst]` makes N sets with duplicates and N / 2 without (:func:`picked`,
:func:`few`, :func:`alone`), asks for a suggestion for each, and prints the table. Constants of `separation.py`, `pair_curve.py` and
`lattice.py` were chosen on even seeds; figures are those of odd ones. `--worst` names each wrong set. `--real` is the directory of the
real files (default: `../shared/data`). `--cost` measures the time instead.

What is right. Each simulated pick is of one object (a particle) or of none (a false pick). A suggestion is right if

* it is at or above the end of the first descent: at least 97 % of all pairs of picks of one object lie within it, and
* it is below the onset of the second: when the true picks are thinned greedily at it, at most 2 % of the particles
  (or one) lose all their picks.

False picks lie anywhere, so at any separation some particles are rejected for them; they are left out of the second count. A set has no
window if no separation does both; then, and if there are no duplicates, every suggestion is wrong. Besides, a set is wrong if the "usual
distance of neighbours" is a distance of duplicates: within the end of the first descent, and no object is nearer to another.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import InputError, ParticleParams, _core, deduplicate_particles
from cryodedup.particles.analysis.separation import Suggestion, suggest
from cryodedup.particles.points import Points

Floats = NDArray[np.float64]
Rng = np.random.Generator
WITHIN, LOST = 0.97, 0.02


@dataclass(frozen=True)
class Set:
    """Picks: centres in Å, micrographs, and the object each is of: a particle below ``objects``, a false pick with a copy above, or -1."""

    kind: str
    points: Floats
    micrograph_of: NDArray[np.uint32]
    object_of: NDArray[np.int64]
    objects: int
    about: str = ""


def thinned(points: Floats, groups: NDArray[np.uint32], apart: float) -> NDArray[np.bool_]:
    """Which stay if each that is within a distance of an earlier one goes: random sequential adsorption."""
    if apart <= 0 or not len(points):
        return np.ones(len(points), bool)
    kept = _core.deduplicate(Points(np.ascontiguousarray(points), np.ascontiguousarray(groups)), apart, threads=1).kept
    return np.asarray(kept)


def uniform(rng: Rng, n: int, side: Floats, micrographs: int) -> tuple[Floats, NDArray[np.uint32]]:
    return rng.uniform(0, 1, (n, len(side))) * side, rng.integers(0, micrographs, n).astype(np.uint32)


def packed(rng: Rng, n: int, apart: float, side: Floats, micrographs: int) -> tuple[Floats, NDArray[np.uint32]]:
    """At most n objects at least so far apart."""
    points, groups = uniform(rng, 4 * n, side, micrographs)
    kept = np.flatnonzero(thinned(points, groups, apart))[:n]
    return points[kept], groups[kept]


def log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def snapped(rng: Rng, points: Floats, step: float) -> Floats:
    """On a lattice with an offset; 0: as they are."""
    if step == 0:
        return points
    offset = rng.uniform(0, step, points.shape[1])
    return np.round((points - offset) / step) * step + offset


def picked(rng: Rng, kind: str) -> Set:
    """Objects found by 1 to 4 pickers; one picker has duplicates of its own, of particles that drifted together in a refinement."""
    deep = kind == "3D"
    pickers = 1 if kind == "1 picker" else int(rng.integers(1, 3)) if deep else int(kind.split(maxsplit=1)[0])
    wanted = log_uniform(rng, 50, 50_000)
    diameter, jitter = log_uniform(rng, 60, 250), log_uniform(rng, 1, 15)
    found, false = rng.uniform(0.5, 0.95), rng.uniform(0, 0.5) * (rng.random() < 0.8)
    repeated = log_uniform(rng, 0.05, 0.6)
    n = max(10, round(wanted * (1 - false) / (found * pickers * (1 + (pickers == 1) * repeated))))
    side = np.full(2, rng.uniform(3000, 6000)) * ([1.0, 1.0] if rng.random() < 0.5 else [1.0, 0.7])
    if deep:
        side = np.array([4000.0, 4000.0, 1500.0])
    volume = np.pi / 4 * diameter**2 if not deep else np.pi / 6 * diameter**3
    share = log_uniform(rng, 0.01, 0.15 if deep else 0.4)
    micrographs = max(1, round(n / (share * np.prod(side) / volume)), min(n // 10, int(log_uniform(rng, 1, 12))))
    objects, groups = packed(rng, n, diameter, side, micrographs)
    if rng.random() < 0.25:  # ice of uneven thickness, or a hole's edge
        uneven = rng.random(len(objects)) < 0.05 + 0.95 * objects[:, 0] / side[0]
        objects, groups = objects[uneven], groups[uneven]
    if "joined" in kind:
        objects, groups = joined(rng, objects, groups, diameter)
    tails = rng.uniform(0, 0.15) * (rng.random() < 0.3)
    overlapping = 0.0
    if rng.random() < 0.3:  # thick ice: some lie above others
        overlapping = rng.uniform(0, 0.03)
        more = uniform(rng, round(overlapping * len(objects)), side, micrographs)
        objects, groups = np.concatenate([objects, more[0]]), np.concatenate([groups, more[1]])
    own = rng.uniform(0.6, 1.0) * diameter if rng.random() < 0.8 else 0.0
    coarse = rng.random() < 0.6
    parts: list[tuple[Floats, NDArray[np.uint32], NDArray[np.int64]]] = []
    steps = []
    for _ in range(pickers):
        step = log_uniform(rng, 1, 16) if coarse and rng.random() < 0.8 else float(rng.choice([0.0, 0.01, 0.1, 1.0]))
        steps.append(step)
        share_found, sigma = np.clip(found + rng.uniform(-0.1, 0.05), 0.3, 1.0), jitter * rng.uniform(0.7, 1.3)
        chosen = np.flatnonzero(rng.random(len(objects)) < share_found)
        wide = np.where(rng.random((len(chosen), 1)) < tails, 2.5, 1.0)  # some picks are much worse than others
        points, of = objects[chosen] + wide * rng.normal(0, sigma, (len(chosen), len(side))), groups[chosen]
        others = uniform(rng, round(len(chosen) * false / (1 - false)), side, micrographs)
        points, of = np.concatenate([points, others[0]]), np.concatenate([of, others[1]])
        object_of = np.concatenate([chosen, np.full(len(others[0]), -1)])
        kept = thinned(points, of, own)
        points, of, object_of = points[kept], of[kept], object_of[kept]
        if pickers == 1:
            again = np.flatnonzero(rng.random(len(points)) < repeated)
            drifted = points[again] + rng.normal(0, np.sqrt(2) * sigma, (len(again), len(side)))
            false_ones = np.flatnonzero(object_of == -1)  # a false pick with a copy is an object too
            object_of = object_of.copy()
            object_of[false_ones] = len(objects) + np.arange(len(false_ones))
            points, of = np.concatenate([points, drifted]), np.concatenate([of, of[again]])
            object_of = np.concatenate([object_of, object_of[again]])
            single = np.bincount(object_of, minlength=len(objects) + len(false_ones)) == 1
            object_of[single[object_of] & (object_of >= len(objects))] = -1
        parts.append((snapped(rng, points, step), of, object_of))
    if pickers > 1 and rng.random() < 0.15:  # the same file again, or a part of it
        some = rng.random(len(parts[0][0])) < rng.uniform(0.2, 1.0)
        parts.append(tuple(column[some] for column in parts[0]))  # type: ignore[arg-type]
    points, of, object_of = (np.concatenate(column) for column in zip(*parts, strict=True))
    about = f"diameter {diameter:.0f} jitter {jitter:.1f} tails {tails:.2f} found {found:.2f} false {false:.2f}"
    about += f" lattices {np.round(steps, 1)} share {share:.3f} overlapping {overlapping:.3f} micrographs {micrographs}"
    return Set(kind, points, of, object_of, len(objects), about)


def dimers(rng: Rng, points: Floats, apart: float) -> Floats:
    angle = rng.uniform(0, 2 * np.pi, len(points))
    return points + rng.normal(apart, 0.04 * apart, (len(points), 1)) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def joined(rng: Rng, objects: Floats, groups: NDArray[np.uint32], apart: float) -> tuple[Floats, NDArray[np.uint32]]:
    """Each of some objects with others in a row, nearer than any of the rest: dimers, or filaments of up to eight."""
    near, angle = rng.uniform(0.5, 0.9) * apart, rng.uniform(0, 2 * np.pi, len(objects))
    step = near * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rows = np.where(rng.random(len(objects)) < rng.uniform(0.1, 1), rng.integers(2, 9) if rng.random() < 0.5 else 2, 1)
    points = np.concatenate([objects[rows > k] + k * step[rows > k] for k in range(rows.max())])
    of = np.concatenate([groups[rows > k] for k in range(rows.max())])
    kept = thinned(points, of, 0.95 * near)
    return points[kept], of[kept]


def few(rng: Rng, kind: str) -> Set:
    """60 picks, of which 12 are duplicates with a sigma of 6 Å."""
    micrographs = int(rng.integers(1, 6))
    points, groups = packed(rng, 48, rng.uniform(80, 200), np.full(2, rng.uniform(2500, 5000)), micrographs)
    again = rng.choice(len(points), 12, replace=False)
    points = np.concatenate([points, points[again] + rng.normal(0, 6, (12, 2))])
    step = float(rng.choice([0.0, 1.0, 5.0, 10.0]))
    return Set(
        kind,
        snapped(rng, points, step),
        np.concatenate([groups, groups[again]]),
        np.concatenate([np.arange(48), again]),
        48,
        f"step {step}",
    )


def alone(rng: Rng, kind: str) -> Set:
    """A set without duplicates."""
    n, apart = round(log_uniform(rng, 50, 50_000)), log_uniform(rng, 50, 250)
    side, per = np.full(2, rng.uniform(3000, 6000)), log_uniform(rng, 20, 600)
    if kind.startswith("3D"):
        side = np.array([4000.0, 4000.0, 1500.0])
    micrographs = max(1, round(n / per))
    points, groups = uniform(rng, n, side, micrographs)
    if kind in ("packed", "3D packed", "packed, false picks", "of many densities"):
        points, groups = packed(rng, n, apart, side, micrographs)
    if kind == "packed, false picks":
        points = points + rng.normal(0, 0.03 * apart, points.shape)
        more = uniform(rng, round(rng.uniform(0.1, 1) * n), side, micrographs)
        points, groups = np.concatenate([points, more[0]]), np.concatenate([groups, more[1]])
        kept = thinned(points, groups, rng.uniform(0, 0.8) * apart)
        points, groups = points[kept], groups[kept]
    if kind == "of many densities":
        kept = rng.random(micrographs)[groups] ** 2 > rng.random(len(groups))
        points, groups = points[kept], groups[kept]
    if kind == "dimers":
        points, groups = packed(rng, n // 2 + 1, 3 * apart, side, micrographs)
        points, groups = np.concatenate([points, dimers(rng, points, apart)]), np.tile(groups, 2)
    if kind == "some dimers":
        points, groups = packed(rng, n, 2 * apart, side, micrographs)
        some = rng.random(len(points)) < rng.uniform(0.02, 0.3)
        points = np.concatenate([points, dimers(rng, points[some], rng.uniform(0.4, 1) * apart)])
        groups = np.concatenate([groups, groups[some]])
    if kind == "filaments":
        lines, along = max(2, n // 25), np.arange(25) * rng.uniform(20, 60)
        starts, groups = uniform(rng, lines, side, micrographs)
        angle = rng.uniform(0, np.pi, lines)
        points = starts[:, None] + along[None, :, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None]
        points, groups = points.reshape(-1, 2), groups.repeat(25)
        kept = thinned(points, groups, 15.0)
        points, groups = points[kept] + rng.normal(0, 1, (int(kept.sum()), 2)), groups[kept]
    if kind == "clumps":
        centres, groups = uniform(rng, max(4, n // 8), side, micrographs)
        points = centres.repeat(8, 0) + rng.normal(0, rng.uniform(50, 150), (8 * len(centres), 2))
        groups = groups.repeat(8)
        kept = thinned(points, groups, rng.choice([0.0, 20.0, 50.0]))
        points, groups = points[kept], groups[kept]
    if kind == "crystals":
        a, b = rng.uniform(50, 150, 2)
        cells = np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=-1).reshape(-1, 2) * [a, b]
        angles = rng.uniform(0, np.pi, micrographs) * (rng.random() < 0.7)
        turns = np.stack([np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)], axis=1).reshape(-1, 2, 2)
        points = (cells @ turns).reshape(-1, 2) + rng.normal(0, rng.uniform(1, 8), (400 * micrographs, 2))
        groups = np.arange(micrographs, dtype=np.uint32).repeat(400)
        kept = rng.random(len(points)) < rng.uniform(0.3, 1)
        points, groups = points[kept][:n], groups[kept][:n]
    step = float(rng.choice([1.0, 2.0])) if kind == "whole pixels" else log_uniform(rng, 1, 16) if rng.random() < 0.5 else 0.0
    about = f"apart {apart:.0f} lattice {step:.1f} micrographs {micrographs}"
    return Set(kind, snapped(rng, points, step), groups, np.arange(len(points)), len(points), about)


WITH = ("1 picker", "2 pickers", "3 pickers", "4 pickers", "3D", "2 pickers, joined", "60 picks")
WITHOUT = (
    "random", "packed", "packed, false picks", "of many densities", "dimers", "some dimers", "filaments", "clumps", "crystals",
    "whole pixels", "3D random", "3D packed",
)  # fmt: skip


def sets(n: int, odd: bool) -> Iterator[Set]:
    """So many with duplicates, and half as many without; the same every time."""
    for k in range(n):
        kind = WITH[k % len(WITH)]
        rng = np.random.default_rng([2 * k + odd, 1])
        yield few(rng, kind) if kind == "60 picks" else picked(rng, kind)
    for k in range(n // 2):
        yield alone(np.random.default_rng([2 * k + odd, 2]), WITHOUT[k % len(WITHOUT)])


def duplicate_distances(some: Set) -> Floats:
    """Distances of all pairs of picks of one object, ascending."""
    order = np.argsort(some.object_of, kind="stable")
    points, of = some.points[order], some.object_of[order]
    apart = []
    for step in range(1, 8):
        same = (of[step:] == of[:-step]) & (of[step:] >= 0)
        apart.append(np.sqrt(((points[step:][same] - points[:-step][same]) ** 2).sum(axis=1)))
    return np.sort(np.concatenate(apart))


def loses(some: Set, separation: float) -> bool:
    """Whether more than 2 % of the particles, and more than one, lose all their picks when the true picks are thinned."""
    true = np.random.default_rng(0).permutation(np.flatnonzero((some.object_of >= 0) & (some.object_of < some.objects)))
    kept = thinned(some.points[true], some.micrograph_of[true], separation)
    there = len(np.unique(some.object_of[true]))
    return there - len(np.unique(some.object_of[true][kept])) > max(1.0, LOST * there)


@dataclass(frozen=True)
class Judged:
    """One set's suggestion against its truth; ``end_a``: 97 % of the duplicates lie within, ``window``: whether a separation is right."""

    outcome: str
    usual_wrong: bool
    window: bool
    end_a: float
    suggestion: Suggestion


def judge(some: Set) -> Judged:
    """Right, withheld or wrong."""
    suggestion = suggest(some.points, some.micrograph_of, threads=1)
    apart = duplicate_distances(some)
    end = float(np.quantile(apart, WITHIN, method="higher")) if len(apart) else np.inf
    window = len(apart) > 0 and not loses(some, end)
    s, usual = suggestion.suggested_a, suggestion.usual_distance_a
    usual_wrong = len(apart) > 0 and usual is not None and usual < end and not loses(some, usual)
    if s is None:
        return Judged("withheld", usual_wrong, window, end, suggestion)
    right = len(apart) > 0 and s >= end and not loses(some, s)
    return Judged("right" if right else "wrong", usual_wrong, window, end, suggestion)


def table(n: int, odd: bool, worst: bool) -> None:
    """Prints how often each outcome occurs, by kind."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for some in sets(n, odd):
        judged = judge(some)
        for kind in (some.kind, "all with duplicates" if some.kind in WITH else "all without", "all"):
            counts[kind]["sets"] += 1
            counts[kind][judged.outcome] += 1
            counts[kind]["no window"] += judged.outcome == "withheld" and not judged.window and some.kind in WITH
            counts[kind]["usual"] += judged.usual_wrong
        if worst and (judged.outcome == "wrong" or judged.usual_wrong):
            print(f"{some.kind}, {len(some.points)} picks, {some.about}: end {judged.end_a:.1f}, {judged.suggestion.summary()}")
    print("| kind | sets | right | withheld | of these no separation is right | wrong | duplicates called usual |")
    print("|---|---|---|---|---|---|---|")
    for kind in [*WITH, "all with duplicates", *WITHOUT, "all without", "all"]:
        row = [counts[kind][key] for key in ("sets", "right", "withheld", "no window", "wrong", "usual")]
        print(f"| {kind} | {' | '.join(map(str, row))} |")


def real_sets(data: Path) -> list[tuple[str, list[Path], float, float]]:
    """Name, files, and the limits between which a suggestion is right; (0, 0): none is.

    Limits are read off the curve of particles kept, see docs/separation.md; -1: it has no clear ones, and nothing is judged.
    """
    teaching, test = data / "real/sppractice", data / "real/em-testdata/run_it025_data.star"
    picked_all, classified = teaching / "AutoPick/job008/autopick.star", teaching / "Class2D/job010/run_it025_data.star"
    derived = [data / "derived_cs" / name for name in ("J20_sppractice_particles.csg", "J10_em_testdata_particles.csg")]
    return [
        ("autopick", [picked_all], 0, 0),
        ("Class2D", [classified], 0, 0),
        ("em-testdata", [test], 0, 0),
        ("particles_1k", [data / "real/em-testdata/particles_1k.star"], 0, 0),
        ("crYOLO TcdA1", [data / "real/boxmanager/TcdA1-0018_frames_sum.cbox"], 0, 0),
        ("autopick + em-testdata", [picked_all, test], 60, 130),
        ("Class2D + em-testdata", [classified, test], 60, 130),
        ("extracted + em-testdata", [teaching / "Extract/job009/particles.star", test], 60, 130),
        ("autopick + Class2D", [picked_all, classified], 0.1, 140),
        ("autopick + Class2D + em-testdata", [picked_all, classified, test], 60, 130),
        ("manual + em-testdata", [teaching / "ManualPick/job006/manualpick.star", test], 50, 140),
        ("derived .csg", derived, 60, 130),
        ("dynamo2m, tomograms", [data / "real/dynamo2m/warp2dynamo_example.star"], -1, -1),
    ]


def show_real(data: Path) -> None:
    """Prints what is suggested for the real sets, with stored coordinates and with 2D shifts where there are any."""
    for name, paths, low, high in real_sets(data):
        for shifts in ("none", "alignments2D"):
            sizes = data / "real/sppractice/CtfFind/job005/micrographs_ctf.star" if "derived" not in name else None
            params = ParticleParams(min_separation_a=1, micrographs=sizes, shift_key=shifts)  # type: ignore[arg-type]
            try:
                found = deduplicate_particles(paths, params)
            except InputError:
                if shifts == "alignments2D":
                    continue
                found = deduplicate_particles(paths, ParticleParams(min_separation_a=1, pixel_size_a=1.0, shift_key="none"))
            suggestion = found.analysis.suggestion
            s = suggestion.suggested_a
            outcome = "withheld" if s is None else "not judged" if low < 0 else "right" if low <= s < high else "wrong"
            values = ", ".join(f"{key} {value:.1f}" for key, value in vars(suggestion).items() if value is not None)
            print(f"{name}, shifts {shifts}: {len(found.kept):,} particles, {outcome} ({low:g} to {high:g}): {values}")


def cost() -> None:
    """Prints seconds of :func:`suggest`, the best of five."""
    rng = np.random.default_rng(0)
    for n, per in ((1000, 100), (20_000, 200), (1_000_000, 250), (5_000_000, 250), (1_000_000, 1_000_000), (5_000_000, 5_000_000)):
        groups = np.repeat(np.arange(n // per, dtype=np.uint32), per)
        points = rng.uniform(0, 280.0 * np.sqrt(per), (n, 2))
        first, again = rng.permutation(n)[: n // 5 * 2].reshape(2, -1)
        points[again], groups[again] = points[first] + rng.normal(0, 5, (n // 5, 2)), groups[first]
        times = []
        for _ in range(5):
            started = time.perf_counter()
            suggested = suggest(points, groups).suggested_a
            times.append(time.perf_counter() - started)
        print(f"{n:,} particles, {per:,} in a micrograph: {min(times):.4f} s, suggested {suggested}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=700)
    parser.add_argument("--seeds", choices=["odd", "even"], default="even")
    parser.add_argument("--worst", action="store_true")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--real", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data")
    chosen = parser.parse_args()
    if chosen.cost:
        cost()
        return
    table(chosen.sets, chosen.seeds == "odd", chosen.worst)
    if chosen.real.is_dir():
        show_real(chosen.real)


if __name__ == "__main__":
    main()

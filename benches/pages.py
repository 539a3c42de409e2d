"""The pages of the largest jobs: `python benches/pages.py`. Seconds, memory beyond the job itself, and size.

5 million particles of three inputs in 16,667 micrographs, 40 % of them picked twice; 50,000 micrographs with 5,000 duplicates.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np

from cryodedup import MicrographParams, MicrographResult, ParticleParams, _core, deduplicate_particles
from cryodedup.formats.table_output import ListOutput
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.compare import Compared, Criteria, Pair
from cryodedup.micrographs.exposures import Exposures
from cryodedup.micrographs.gallery import SIDE_PX, Views, doubtful_and_best
from cryodedup.micrographs.tilt import Tilts
from cryodedup.pictures import to_bytes
from cryodedup.report.micrograph_page import micrograph_page
from cryodedup.report.page import Page
from cryodedup.report.particle_page import particle_page


def null_of(z: np.ndarray) -> _core.Null:
    """The null distributions of a session whose mirrored pairs have these significances."""

    def columns(z: np.ndarray) -> SimpleNamespace:
        n = len(z)
        two, zeros = np.zeros((n, 2)), np.zeros(n)
        reals = {"turn_deg": zeros, "z": z, "z_next": zeros, "z_at_zero": zeros}
        return SimpleNamespace(at=np.arange(n, dtype=np.uint64), pairs=two.astype(np.uint32), shift_reduced_px=two, **reals)

    with TemporaryDirectory() as name:
        preparation = _core.Preparation.open(Path(name) / "cache", resume=False)
        frame = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
        records = [preparation.add(frame, bytes([k] * 16), bin=1) for k in range(2)]
        session = _core.Session.load(records, band=MicrographParams().search_band, threads=0)
    block = _core.Block(*map(columns, (np.zeros(0), z, np.zeros(0))))
    none = np.zeros((0, 2), np.uint32)
    search = _core.Search.window(session, none, none, max_shift_reduced_px=None, turns_deg=[0.0])
    return search.conclude(block, asked=Criteria.of([Acquisition()] * 2, MicrographParams()), threads=0).null


def resident() -> float:
    """Memory of this process now, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def measure(what: str, make: Callable[[], Page]) -> None:
    """Makes and writes a page while another thread looks at the memory."""
    before, peak, done = resident(), [resident()], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with TemporaryDirectory() as name:
        started = time.perf_counter()
        make().write(Path(name))
        seconds = time.perf_counter() - started
        size = (Path(name) / "report.html").stat().st_size
    done.set()
    watcher.join()
    print(f"{what}: {seconds:.1f} s, {peak[0] - before:.0f} MB more, page of {size / 1e6:.2f} MB")


def many_particles(n: int = 5_000_000, micrographs: int = 16_667, inputs: int = 3) -> list[np.ndarray]:
    """Tables of CryoSPARC's fields; every input has about two thirds of the same particles."""
    rng = np.random.default_rng(1)
    fields = [
        ("uid", "<u8"), ("location/micrograph_uid", "<u8"), ("location/micrograph_path", "S40"), ("location/micrograph_shape", "<u4", (2,)),
        ("location/center_x_frac", "<f4"), ("location/center_y_frac", "<f4"), ("location/micrograph_psize_A", "<f4"),
        ("pick_stats/ncc_score", "<f4"), ("alignments3D/split", "<u4"),
    ]  # fmt: skip
    there = rng.random((int(0.5 * n), 2))
    of = rng.integers(0, micrographs, len(there))
    tables = []
    for k in range(inputs):
        chosen = rng.choice(len(there), n // inputs, replace=False)
        table = np.zeros(len(chosen), fields)
        table["uid"] = rng.permutation(len(chosen)) + k * n + 1
        table["location/micrograph_uid"] = of[chosen] + 1
        table["location/micrograph_path"] = np.char.mod("J1/m_%06d.mrc", of[chosen])
        table["location/micrograph_shape"] = (4092, 5760)
        xy = there[chosen] + rng.normal(0, 0.0015, (len(chosen), 2))
        table["location/center_x_frac"], table["location/center_y_frac"] = xy.T
        table["location/micrograph_psize_A"] = 0.83
        table["pick_stats/ncc_score"] = rng.random(len(chosen))
        table["alignments3D/split"] = rng.integers(0, 2, len(chosen))
        tables.append(table)
    return tables


def many_micrographs(n: int = 50_000, duplicates: int = 5_000) -> MicrographResult:
    """A result as a search would leave it."""
    rng = np.random.default_rng(2)
    names = [
        f"Micrographs/FoilHole_{k // 8}_Data_{k % 8}_{k}_20260115_{k // 3600 % 24:02}{k // 60 % 60:02}{k % 60:02}_fractions.mrc"
        for k in range(n)
    ]
    first = np.sort(rng.choice(n // 2, duplicates, replace=False))
    moves = rng.uniform(-2000, 2000, (duplicates, 2))
    pairs = [
        Pair(int(i), int(i) + n // 2, float(z), 1e-9, 0.3, 0.2, 0.7, (float(x), float(y)), "8 of 8" if z > 9 else "contradicted", k + 1)
        for k, (i, z, (x, y)) in enumerate(zip(first, rng.uniform(8, 60, duplicates), moves, strict=True))
    ]
    kept = np.ones(n, bool)
    kept[[pair.second for pair in pairs]] = False
    known = [Acquisition((f"202601{1 + k // 5000:02}{k % 24:02}0000",), str(k // 8), str(k % 8)) for k in range(n)]
    exposures = Exposures("many", names, [Path(name) for name in names], ListOutput(names), acquisitions=known)
    compared = Compared(
        members=list(range(n)),
        size=(720, 512),
        pairs=pairs,
        signal=np.ones(n),
        coarse_noise=0.0,
        null=null_of(rng.gumbel(4, 0.35, 20_000)),
        observed=np.concatenate([rng.gumbel(4, 0.35, 2_000_000), [pair.z for pair in pairs]]),
        tested=n * (n - 1) // 2,
        decoys_tested=300_000,
        screening={},
    )
    shown = [pairs[k] for kind in doubtful_and_best(pairs) for k in kind]
    ends = sorted({i for pair in shown for i in (pair.first, pair.second)})
    thumbnails, pictures = ({i: to_bytes(rng.normal(size=(SIDE_PX * 2 // 3, SIDE_PX))) for i in ends} for _ in range(2))
    return MicrographResult(
        params=MicrographParams(),
        exposures=exposures,
        order=list(range(n)),
        pairs=pairs,
        groups=[[pair.first, pair.second] for pair in pairs],
        kept=kept,
        compared=[compared],
        tilts=Tilts(),
        warnings=[],
        pixel_sizes_a=[0.83] * n,
        sizes=[(5760, 4092)] * n,
        unreadable=dict.fromkeys(range(0, n, 20), "found no MRC header (no 'MAP' at byte 208)"),
        thumbnails=thumbnails,
        views=Views(pictures, {(pair.first, pair.second): rng.random((25, 25)) for pair in shown}),
    )


def main() -> None:
    found = deduplicate_particles(many_particles(), ParticleParams(min_separation_a=40))
    measure(f"{len(found.kept):,} particles", lambda: particle_page(found))
    result = many_micrographs()
    measure(f"{len(result.kept):,} micrographs", lambda: micrograph_page(result))


if __name__ == "__main__":
    main()

"""The search for duplicate micrographs, part by part: `python benches/micrographs.py [reading|pairs|large|live|window]...`.

reading: read and reduce a 5760 x 4092 frame by 8, beside a streamed C loop compiled here. pairs: screening, pair by pair, of 5,000
micrographs. large N ...: memory and times of sessions of N micrographs (25,000 and 50,000) whose views are in a file, screened in the
largest groups, one shard of 20. live N: what a new micrograph takes after N earlier ones (10,000). window: 5,000 frames at the parameters
of the screener's README, without their reading, against what that takes elsewhere (2,900 core-seconds). Synthetic micrographs of noise; in
pairs a share of them are shifted copies.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import mrcfile
import numpy as np

from cryodedup import MicrographParams, _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.blocks import plan_search, window_pairs
from cryodedup.micrographs.live.collection import Collection
from cryodedup.micrographs.measuring import Class

NX, NY, BIN = 5760, 4092, 8
VIEW = (384, 256)
C_LOOP = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <time.h>
int main(int argc, char **argv) {
    const int nx = 5760, ny = 4092, b = 8;
    float *rows = malloc(sizeof(float) * nx * b), *sums = malloc(sizeof(float) * nx);
    float *out = malloc(sizeof(float) * (nx / b) * (ny / b + 1));
    double best = 1e9, check = 0;
    for (int repeat = 0; repeat < 21; repeat++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        int file = open(argv[1], O_RDONLY);
        lseek(file, 1024, SEEK_SET);
        for (int y = 0; y < ny / b; y++) {
            size_t wanted = sizeof(float) * nx * b, got = 0;
            while (got < wanted) { ssize_t n = read(file, (char *)rows + got, wanted - got); if (n <= 0) return 1; got += n; }
            memset(sums, 0, sizeof(float) * nx);
            for (int k = 0; k < b; k++) for (int x = 0; x < nx; x++) sums[x] += rows[k * nx + x];
            for (int x = 0; x < nx / b; x++) {
                float s = 0;
                for (int k = 0; k < b; k++) s += sums[x * b + k];
                out[y * (nx / b) + x] = s / (b * b);
            }
        }
        close(file);
        clock_gettime(CLOCK_MONOTONIC, &end);
        double t = (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) * 1e-6;
        if (t < best) best = t;
        check += out[1000];
    }
    printf("%f %f\n", best, check);
    return 0;
}
"""


def reading(directory: Path) -> None:
    source = directory / "loop.c"
    source.write_text(C_LOOP)
    subprocess.run(["gcc", "-O3", "-march=native", "-ffast-math", "-o", directory / "loop", source], check=True)
    pixels = np.random.default_rng(1).normal(50, 10, (NY, NX)).astype(np.float32)
    for dtype in ("float32", "float16", "int8"):
        path = directory / f"{dtype}.mrc"
        with mrcfile.new(path) as file:
            file.set_data(pixels.astype(dtype))
        mode = {"float32": 2, "float16": 12, "int8": 0}[dtype]
        frames = [_core.Frame(path, start=1024, mode=mode, nx=NX, ny=NY)] * 21
        keys = [k.to_bytes(16, "little") for k in range(21)]
        times = []
        for _ in range(3):
            started = time.perf_counter()
            _core.Preparation.open(directory / "cache", resume=False).read(frames, keys, bin=BIN, threads=1)
            times.append((time.perf_counter() - started) / 21 * 1e3)
        print(f"{dtype}: read, reduced, flattened and stored in {median(times):.2f} ms a frame, one thread")
    loop = float(
        subprocess.run([directory / "loop", directory / "float32.mrc"], capture_output=True, text=True, check=True).stdout.split()[0]
    )
    print(
        f"float32: C loop that reads and reduces only {loop:.2f} ms (reading and reducing alone of ours: cargo bench --bench micrographs)"
    )


def views(n: int, share: float = 0.02) -> np.ndarray:
    """Noise of standard deviation 12, no two alike; but a share of them are the one in front, moved, with as much noise again."""
    rng = np.random.default_rng(2)
    out = np.empty((n, VIEW[0] * VIEW[1]), np.int8)
    for view in out:
        view[:] = rng.integers(-20, 21, len(view), np.int8)
    for k in np.flatnonzero(rng.random(n) < share)[1:]:
        moved = np.roll(out[k - 1].reshape(VIEW[1], VIEW[0]), (20, 30), (0, 1)).ravel()
        out[k] = np.clip(0.7 * moved + 0.7 * out[k], -127, 127).astype(np.int8)
    return out


class Stages:
    """When each stage of a job began: seconds, and core-seconds of this process."""

    def __init__(self) -> None:
        self.began: dict[str, tuple[float, float]] = {}

    def stage(self, name: str, total: int | None = None) -> None:
        self.began[name] = (time.perf_counter(), time.process_time())

    def advance_to(self, done: int) -> None: ...


def screen(n: int, sensitivity: str) -> None:
    session, stages = _core.Session.of_views(views(n), VIEW[0], 0.9), Stages()
    stages.stage("planning")
    turns_deg = [0.0]
    search = _core.Search.plan(
        session, sensitivity=sensitivity, max_shift_reduced_px=None, turns_deg=turns_deg, screened_turns_deg=turns_deg, threads=0
    )
    passed = search.compare(shard=(0, 1), threads=0, progress=stages)
    found = search.screening
    assert found is not None
    seconds, core_seconds = (end - start for start, end in zip(stages.began["planning"], stages.began["comparing closely"], strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{n:,} micrographs, {sensitivity}: {found.pairs:,} pairs in {seconds:.1f} s, {core_seconds:.1f} core-seconds,"
        f" {core_seconds / found.pairs * 1e6:.2f} µs a pair; grid {found.grid}, pools of {found.pool_size} (predicted recall"
        f" {found.predicted_recall}), {len(passed):,} left; peak memory {peak:.2f} GB"
    )


def frames_of_noise(directory: Path, n: int) -> list[_core.Record]:
    """Prepared frames of noise of 720 x 512 pixels."""
    rng = np.random.default_rng(3)
    preparation = _core.Preparation.open(directory / "cache", resume=False)
    return [preparation.add(rng.normal(50, 10, (512, 720)).astype(np.float32), k.to_bytes(16, "little"), bin=1) for k in range(n)]


def large(n: int, different: int = 1000, shards: int = 20) -> None:
    """Each frame of noise is seen at several angles, so that no two views have anything in common."""
    params = MicrographParams(sensitivity="fast")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        records = frames_of_noise(directory, different)
        angles = [np.deg2rad(10 * (k // different)) for k in range(n)]
        maps = [((float(np.cos(a)), float(-np.sin(a))), (float(np.sin(a)), float(np.cos(a)))) for a in angles]
        known = [Acquisition()] * n
        of_class = Class(
            members=range(n), records=[records[k % different] for k in range(n)], ordinals=range(n), acquisitions=known, maps=maps
        )
        started = time.perf_counter()
        search = plan_search(of_class, params, directory)
        plan_s, at_plan = time.perf_counter() - started, peak_gb()
        started = time.perf_counter()
        block = search.compare(shard=(0, shards), threads=params.threads)
        seconds = time.perf_counter() - started
        on_disk = (directory / "views").stat().st_size / 1e9
    pairs = len(block) + len(block.mirrored.at) + len(block.random.at)
    print(
        f"{n:,} micrographs: plan {plan_s:.0f} s, peak memory {at_plan:.2f} GB; shard 1 of {shards} in {seconds:.0f} s ({pairs:,} pairs"
        f" closely), peak memory {peak_gb():.2f} GB; views on disk {on_disk:.1f} GB"
    )


def whole(number: int) -> bytes:
    """An integer as postcard writes it."""
    return bytes([number & 127 | 128]) + whole(number >> 7) if number > 127 else bytes([number])


def live(n: int = 10_000, new: int = 12) -> None:
    """What a new micrograph costs after n earlier ones, which are not compared here: what they would have shown is noise, too."""
    params = MicrographParams(bin=1)
    rng = np.random.default_rng(4)
    with tempfile.TemporaryDirectory() as name:
        preparation = _core.Preparation.open(Path(name) / "cache", resume=False)

        def record(k: int) -> _core.Record:
            return preparation.add(rng.normal(50, 10, (256, 384)).astype(np.float32), k.to_bytes(16, "little"), bin=1)

        records = [record(k) for k in range(n)]

        def noise(rows: int) -> bytes:
            """Comparisons as a collection keeps them (postcard: integers of seven bits a byte, reals as they are)."""
            pairs, z = np.sort(rng.integers(0, n, (rows, 2)), axis=1), rng.gumbel(4.2, 0.25, rows)
            reals = np.column_stack([rng.normal(0, 50, (rows, 2)), np.zeros(rows), z, 0.9 * z, rng.normal(0, 1, rows)])
            rest = zip(pairs.tolist(), reals.astype("<f8"), strict=True)
            return whole(rows) + b"".join(whole(i) + whole(j) + row.tobytes() for (i, j), row in rest)

        every = n * (n - 1) // 2
        state = whole(n) + whole(every) + whole(every // 3) + noise(12 * n) + noise(20_000) + noise(20_000)
        started = time.perf_counter()
        collection = Collection(params, records, [Acquisition()] * n, state)
        restored_s, taken, core_s = time.perf_counter() - started, [], []
        for k in range(new):
            started, cpu = time.perf_counter(), time.process_time()
            collection.add(record(n + k), Acquisition())
            taken.append(time.perf_counter() - started)
            core_s.append(time.process_time() - cpu)
    print(
        f"{n:,} earlier micrographs: restart {restored_s:.0f} s; a new one {median(taken):.2f} s, {median(core_s):.2f} core-seconds (most"
        f" {max(core_s):.2f}); peak memory {peak_gb():.2f} GB"
    )


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def window(n: int = 5000) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        different = frames_of_noise(directory, 64)
        records = [different[k % 64] for k in range(n)]
        params = MicrographParams(search="window")
        started, cpu = time.perf_counter(), time.process_time()
        session = _core.Session.load(records, band=params.search_band, threads=0)
        pairs, decoys = window_pairs(range(n), params)
        found = session.find(pairs, None, mirrored=False, threads=0)
        session.find(decoys, None, mirrored=True, threads=0)
        places = SimpleNamespace(pairs=pairs, shift_reduced_px=found.shift_reduced_px.astype(float), turn_deg=np.zeros(len(pairs)))
        session.confirm(places, band=params.band, threads=0)
        seconds, core_seconds = time.perf_counter() - started, time.process_time() - cpu
    print(
        f"{n:,} frames, {len(pairs):,} pairs of the screener's window: {seconds:.1f} s, {core_seconds:.1f} core-seconds (the screener"
        f" with one IMOD thread a program: 2,900 core-seconds; {2900 / core_seconds:.0f} times as much)"
    )


def main() -> None:
    wanted = sys.argv[1:] or ["reading", "pairs", "large", "live", "window"]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "reading" in wanted:
        with tempfile.TemporaryDirectory() as name:
            reading(Path(name))
    if "pairs" in wanted:
        screen(5000, "full")
    if "large" in wanted:
        for n in [int(word) for word in wanted if word.isdigit()] or [25_000, 50_000]:
            subprocess.run([sys.executable, __file__, "one", str(n)], check=True)  # each with a peak of its own
    if "live" in wanted:
        live(*(int(word) for word in wanted if word.isdigit()))
    if wanted[0] == "one":
        large(int(wanted[1]))
    if "window" in wanted:
        window()


if __name__ == "__main__":
    main()

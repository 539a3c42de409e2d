"""What this process may use of the machine: the smallest limit holds; what surely does not fit is refused before the work, nothing else."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cases import Ran, cs, records, star
from cryodedup import InputError, ParticleParams, _core, deduplicate_particles
from cryodedup.formats.detect import kind_of
from cryodedup.particles import forecast, workflow
from cryodedup.particles.forecast import MAX_PARTICLE_BYTES, PARTICLE_BYTES, Forecast, min_rows
from cryodedup.system.resources import Available, check_memory, disk_available, groups, memory_available, processors, size_words

Command = Callable[..., Ran]
MEMINFO = "MemTotal: 32000000 kB\nMemFree: 1000 kB\nMemAvailable: 8000000 kB\nSwapFree: 2000000 kB\n"


def system(place: Path, files: Mapping[str, str], *, version: int = 2, own: str = "/job/step", root: str = "/", meminfo: str = "") -> Path:
    """A ``/proc`` whose control groups are ``files`` by their path under the mount."""
    mount = place / "cgroup mount"
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text)
    (place / "proc/self").mkdir(parents=True)
    line = f"0::{own}" if version == 2 else f"5:cpu,cpuacct:{own}\n4:memory:{own}"
    (place / "proc/self/cgroup").write_text(f"{line}\n")
    kind = "cgroup2 cgroup2 rw" if version == 2 else "cgroup cgroup rw,cpu,cpuacct,memory"
    written = str(mount).replace(" ", "\\040")
    (place / "proc/self/mountinfo").write_text(
        f"30 1 0:1 / / rw - ext4 /dev/sda rw\n31 30 0:2 {root} {written} rw,nosuid shared:9 - {kind}\n"
    )
    (place / "proc/meminfo").write_text(meminfo)
    return place / "proc"


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 96 processors, all of which the process is bound to."""
    monkeypatch.setattr(_core, "available_processors", lambda: 96)


def test_groups_are_those_of_the_process_from_the_inside_out(tmp_path: Path) -> None:
    proc = system(tmp_path, {"job/step/cpu.max": "", "other/cpu.max": ""})
    mount = tmp_path / "cgroup mount"
    assert groups("cpu", 2, proc) == [mount / "job/step", mount / "job", mount]
    assert groups("cpu", 1, proc) == []
    assert groups("cpu", 2, tmp_path / "nothing") == []


@pytest.mark.parametrize(
    ("own", "root"), [("/docker/abc/job/step", "/docker/abc"), ("/docker/abc/job/step", "/docker/abc/"), ("/../job/step", "/")]
)
def test_groups_of_a_container(tmp_path: Path, own: str, root: str) -> None:
    """What is mounted begins at the container's own group."""
    proc = system(tmp_path, {"job/step/cpu.max": "max 100000\n", "job/cpu.max": "300000 100000\n"}, own=own, root=root)
    assert groups("cpu", 2, proc)[0] == tmp_path / "cgroup mount/job/step"


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 96),
        ({"SLURM_CPUS_PER_TASK": "8"}, 8),
        ({"SLURM_CPUS_PER_TASK": "8", "SLURM_CPUS_ON_NODE": "32"}, 8),
        ({"SLURM_CPUS_ON_NODE": "32"}, 32),
        ({"SLURM_CPUS_PER_TASK": "128"}, 96),
        ({"SLURM_CPUS_PER_TASK": "0"}, 96),
        ({"SLURM_CPUS_PER_TASK": ""}, 96),
        ({"SLURM_CPUS_PER_TASK": "8(x2)"}, 96),
    ],
)
def test_slurm_limits_the_processors(environment: dict[str, str], expected: int) -> None:
    assert processors(environment) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to processors")
def test_the_processors_that_a_process_is_bound_to() -> None:
    program = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from cryodedup.system.resources import processors
raise SystemExit(40 + processors({}))
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 41


@pytest.mark.parametrize("use", ["cryodedup.ParticleParams", "run(['particles', '--help'])"])
def test_the_core_is_told_how_many_there_are(use: str) -> None:
    """Whether it is used from Python or from the command line. (That 0 threads then stand for these is tested in ``jobs.rs``.)"""
    program = f"""
import cryodedup
from cryodedup import _core
told = []
_core.set_processors = told.append
from cryodedup.cli import run
{use}
raise SystemExit(40 + told[0])
"""
    environment = {**os.environ, "SLURM_CPUS_PER_TASK": "1"}
    assert subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False).returncode == 41


@pytest.mark.parametrize(
    ("version", "files", "expected_gb"),
    [
        (2, {}, 10.24),
        (2, {"job/step/memory.max": "max\n", "job/step/memory.current": "5000000000\n"}, 10.24),
        (2, {"job/step/memory.max": "4000000000\n", "job/step/memory.current": "1000000000\n"}, 3 + 2.048),
        (2, {"job/memory.max": "4000000000\n", "job/memory.current": "1000000000\n", "job/step/memory.max": "max\n"}, 3 + 2.048),
        (
            2,
            {
                "job/step/memory.max": "4000000000\n",
                "job/step/memory.current": "3900000000\n",
                "job/step/memory.stat": "anon 900000000\nactive_file 1000000000\ninactive_file 2000000000\n",
            },
            3.1 + 2.048,
        ),
        (1, {"job/step/memory.limit_in_bytes": "9223372036854771712\n", "job/step/memory.usage_in_bytes": "1\n"}, 10.24),
        (
            1,
            {
                "job/memory.limit_in_bytes": "2000000000\n",
                "job/memory.usage_in_bytes": "1500000000\n",
                "job/memory.stat": "inactive_file 7\ntotal_inactive_file 1000000000\n",
                "job/step/memory.limit_in_bytes": "8000000000\n",
                "job/step/memory.usage_in_bytes": "0\n",
            },
            1.5 + 2.048,
        ),
    ],
)
def test_the_smallest_limit_of_memory_holds(tmp_path: Path, version: int, files: dict[str, str], expected_gb: float) -> None:
    """Files in memory and what can be swapped count as free: what would fit is never refused."""
    available = memory_available(system(tmp_path, files, version=version, meminfo=MEMINFO))
    assert available is not None
    assert available.size == pytest.approx(expected_gb * 1e9)


def test_the_limits_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proc = system(tmp_path, {}, meminfo=MEMINFO)
    (proc / "self/status").write_text("Name: python\nVmSize:\t 1000000 kB\nVmData:\t 200000 kB\n")
    limits = {resource.RLIMIT_AS: 3_000_000_000, resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits[which], limits[which]))
    assert memory_available(proc) == Available(3_000_000_000 - 1_024_000_000, "left of the 3.0 GB of ulimit -v", of_addresses=True)
    limits[resource.RLIMIT_DATA] = 1_000_000_000
    assert memory_available(proc) == Available(1_000_000_000 - 204_800_000, "left of the 1.0 GB of ulimit -d", of_addresses=True)


def test_a_system_that_says_nothing(tmp_path: Path) -> None:
    assert memory_available(tmp_path) is None
    check_memory(1 << 60, "all", None)


def test_what_just_fits_is_not_refused() -> None:
    check_memory(1000, "x", Available(1000, "here"))
    with pytest.raises(InputError, match=r"^x: needs at least 1.5 GB of memory, found 1.2 GB \(free here\); "):
        check_memory(1_500_000_000, "x", Available(1_200_000_000, "free here"))


@pytest.mark.parametrize(("size", "words"), [(16_240_000_000, "16.2 GB"), (999_000_000, "999 MB"), (1, "1 MB"), (0, "1 MB")])
def test_sizes_in_words(size: int, words: str) -> None:
    assert size_words(size) == words


def test_free_space_is_that_of_where_the_directory_will_be(tmp_path: Path) -> None:
    here, there = disk_available(tmp_path), disk_available(tmp_path / "not/yet/there")
    assert here is not None
    assert there is not None
    assert here.limit == there.limit


@pytest.fixture
def picks(tmp_path: Path) -> dict[str, Path]:
    """A thousand picks in each of several formats."""
    rng = np.random.default_rng(1)
    xy = rng.integers(100, 1900, (1000, 2)).tolist()
    boxes = tmp_path / "boxes"
    boxes.mkdir()
    for i in range(0, 1000, 100):
        (boxes / f"m{i:03}.box").write_text("".join(f"{x}\t{y}\t200\t200\n" for x, y in xy[i : i + 100]))
    topaz = tmp_path / "topaz.txt"
    topaz.write_text("image_name\tx_coord\ty_coord\tscore\n" + "".join(f"m{x % 7}\t{x}\t{y}\t0.5\n" for x, y in xy))
    return {
        "star": star(tmp_path / "some.star", [(x, y, f"m{x % 7}.mrc") for x, y in xy]),
        "folder": boxes,
        "topaz": topaz,
        "npy": cs(tmp_path / "some.cs", records(xy)),
    }


@pytest.mark.parametrize("kind", ["star", "folder", "topaz", "npy"])
def test_rows_are_nearly_known_from_sizes_and_never_too_many(picks: dict[str, Path], kind: str) -> None:
    found = min_rows([(picks[kind], kind_of(picks[kind]))])
    assert 800 <= found <= 1000


def test_a_passthrough_file_is_not_counted_again(picks: dict[str, Path], tmp_path: Path) -> None:
    other = cs(tmp_path / "passthrough.cs", np.zeros(1000, [("uid", "<u8")]))
    assert min_rows([(picks["npy"], "npy"), (other, "npy")]) == 1000


def test_too_many_particles_are_refused_before_they_are_read(
    picks: dict[str, Path], command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    enough = PARTICLE_BYTES * 1000
    monkeypatch.setattr(forecast, "memory_available", lambda: Available(enough, "free here"))
    ran = command("particles", picks["npy"], "-o", tmp_path / "out")
    assert (ran.status, "about 1,000 particles: may need up to 1 MB of memory, found 1 MB (free here)" in ran.err) == (0, True)
    monkeypatch.setattr(forecast, "memory_available", lambda: Available(MAX_PARTICLE_BYTES * 1000, "free here"))
    assert command("particles", picks["npy"], "-o", tmp_path / "out", "--overwrite").err == ""
    monkeypatch.setattr(forecast, "memory_available", lambda: Available(enough - 1, "free here"))
    ran = command("particles", picks["npy"], "-o", tmp_path / "other")
    assert ran.status == 2
    assert ran.err.startswith(f"cryodedup: error: {picks['npy']}, about 1,000 particles: needs at least 1 MB of memory, found ")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "other").exists()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say how much memory is in use")
def test_a_real_limit(tmp_path: Path) -> None:
    """A file of holes that holds 200 million particles, where 8 GB of addresses are allowed."""
    dtype = records([]).dtype
    path = tmp_path / "huge.cs"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": dtype.descr, "fortran_order": False, "shape": (200_000_000,)})
        file.truncate(file.tell() + dtype.itemsize * 200_000_000)
    limit = 8 << 30
    ran = subprocess.run(
        [sys.executable, "-m", "cryodedup", "particles", str(path), "-o", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert ran.returncode == 2, ran.stderr
    assert "about 200,000,000 particles: needs at least 20.1 GB of memory, found " in ran.stderr


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say how much memory is in use")
def test_memory_that_ends_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """Under limits of addresses from what Python itself needs upwards; some of these runs are refused, some fail, some are done."""
    rng = np.random.default_rng(1)
    places = rng.uniform(0, 4000, (200_000, 2))
    picks = star(tmp_path / "p.star", [(f"{x:.2f}", f"{y:.2f}", 0.5, f"m{i % 500}") for i, (x, y) in enumerate(places)], COLUMNS)
    used = subprocess.run([sys.executable, "-c", VIRTUAL], capture_output=True, text=True, check=True).stdout
    statuses = set()
    for more_mb in (0, 20, 40, 60, 80, 120, 160, 200, 300):
        limit = int(used) + more_mb * 1_000_000
        out = tmp_path / f"out{more_mb}"
        ran = subprocess.run(
            [sys.executable, "-m", "cryodedup", "particles", str(picks), "--pixel-size", "1", "-o", str(out), "--threads", "2"],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_AS, (limit, limit)),
        )
        statuses.add(ran.returncode)
        errors = [line for line in ran.stderr.splitlines() if "error: " in line]
        assert len(errors) == (ran.returncode != 0), (more_mb, ran.stderr)
        assert "Traceback" not in ran.stderr, (more_mb, ran.stderr)
        assert (out / "summary.json").exists() == (ran.returncode == 0)
        assert ran.returncode == 0 or not out.exists()
    assert statuses <= {0, 1, 2}
    assert len(statuses) > 1


COLUMNS = "CoordinateX CoordinateY AutopickFigureOfMerit MicrographName"
VIRTUAL = """
import cryodedup.cli.particles, cryodedup._core, numpy
print(1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmPeak")).split()[1]))
"""


@pytest.mark.parametrize("kind", ["star", "folder", "topaz", "npy"])
def test_what_is_written_is_as_large_as_was_said(picks: dict[str, Path], kind: str, tmp_path: Path) -> None:
    found = deduplicate_particles(picks[kind], ParticleParams(min_separation_a=20, pixel_size_a=1.0))
    expected = Forecast.of(found.joined.picks)
    found.write(tmp_path / "out", report=False)
    rows = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.suffix not in (".csv", ".json", ".csg")]
    written = sum(path.stat().st_size for path in rows)
    assert 0.9 * written < expected.disk <= written
    assert expected.rows == 1000


def test_too_little_space_is_refused_before_the_search(
    picks: dict[str, Path], command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = 1000 * records([]).dtype.itemsize
    asked = []
    monkeypatch.setattr(workflow, "disk_available", lambda place: asked.append(place) or Available(disk - 1, f"free in {tmp_path}"))

    def never(*arguments: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(workflow, "select", never)
    ran = command("particles", picks["npy"], "-o", tmp_path / "out")
    assert (ran.status, asked) == (2, [tmp_path / "out"])
    assert ran.err.startswith(f"cryodedup: error: {tmp_path / 'out'}: at least 1 MB will be written, found 1 MB (free in ")
    assert not (tmp_path / "out").exists()


def test_space_that_suffices_is_not_refused(
    picks: dict[str, Path], command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = 1000 * records([]).dtype.itemsize
    monkeypatch.setattr(workflow, "disk_available", lambda place: Available(disk, "free"))
    assert command("particles", picks["npy"], "-o", tmp_path / "out").status == 0


def test_a_dry_run_says_what_a_run_needs(picks: dict[str, Path], command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "memory_available", lambda: Available(8_000_000_000, "free on this machine"))
    monkeypatch.setattr(workflow, "disk_available", lambda place: Available(0, "free"))  # a dry run writes nothing
    ran = command("particles", picks["npy"], "--dry-run")
    assert ran.status == 0
    assert (
        "a run needs 45 MB to 45 MB of memory (8.0 GB free on this machine) and 1 MB of disk (estimated from the columns of its files)\n"
        in ran.out
    )
    ran = command("particles", picks["npy"], "--dry-run", "--json")
    assert f'"min_memory_bytes": {1000 * PARTICLE_BYTES}' in ran.out

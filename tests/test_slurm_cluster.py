"""A job of several stages on a real Slurm: a task is cancelled in the middle, the job is submitted again, the result is that of one run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import slurm_cluster
from cases import Ran, same_results
from cryodedup.demo import make_micrographs
from cryodedup.demo.micrographs import BIN

WHY_NOT = slurm_cluster.lacking()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
ENDED = {"COMPLETED", "FAILED", "CANCELLED"}
STOPPED = """\
import os, pathlib, time
here = pathlib.Path({here!r})
if os.environ.get("SLURM_JOB_NAME") == "cryodedup-compare" and os.environ["SLURM_ARRAY_TASK_ID"] == "2" and not (here / "mended").exists():
    from cryodedup.micrographs.stages import work

    def put_arrays(*arguments):
        (here / "reached").touch()
        time.sleep(3600)

    work.put_arrays = put_arrays
"""
"""Python reads this at its start: one task stops where its results are about to be written."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[slurm_cluster.Cluster]:
    with slurm_cluster.cluster() as started:
        yield started


def submit(cluster: slurm_cluster.Cluster, output: Path, *stages: str) -> dict[str, str]:
    """The numbers of the jobs, by stage."""
    printed = cluster.call("sh", output / "slurm" / "submit.sh", *stages)
    return {words[0][:-1]: words[2].rstrip(",") for words in map(str.split, printed.splitlines()) if words[1] == "job"}


def written(command: Callable[..., Ran], star: Path, output: Path, *options: object) -> None:
    ran = command("slurm", "micrographs", star, "--bin", BIN, "-o", output, "--shards", 3, "--cpus-per-task", 1, "--mem", "1G", *options)
    assert ran.status == 0, ran.err


def test_a_job_of_which_a_task_was_cancelled(
    tmp_path: Path, command: Callable[..., Ran], cluster: slurm_cluster.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(sys.modules["cryodedup"].__file__ or "").parents[1]
    monkeypatch.setitem(cluster.environment, "PYTHONPATH", os.pathsep.join([str(tmp_path), str(package)]))
    (tmp_path / "sitecustomize.py").write_text(STOPPED.format(here=str(tmp_path)))
    planted = make_micrographs(tmp_path / "session")
    several = tmp_path / "it's #1 of 100 %j"
    written(command, planted.star, several)
    jobs = submit(cluster, several)
    assert list(jobs) == ["prepare", "plan", "compare", "merge"]

    end = time.monotonic() + 60
    while not (tmp_path / "reached").exists():
        assert time.monotonic() < end, cluster.logs()
        time.sleep(0.1)
    refused = subprocess.run(["sh", several / "slurm" / "submit.sh"], env=cluster.environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "jobs of this directory are still in the queue" in refused.stderr
    cluster.call("scancel", f"{jobs['compare']}_2")
    assert sorted(cluster.wait(jobs["compare"], ENDED)) == ["CANCELLED", "COMPLETED", "COMPLETED"]
    assert cluster.wait(jobs["merge"], ENDED) == ["CANCELLED"]
    assert not (several / "summary.json").exists()
    assert not list((several / "slurm" / "logs").glob("*merge*"))

    (tmp_path / "mended").touch()
    again = submit(cluster, several)
    assert list(again) == ["compare", "merge"]
    assert cluster.wait(again["compare"], ENDED) == ["COMPLETED"]
    log = several / "slurm" / "logs" / f"cryodedup-merge-{again['merge']}.out"
    assert cluster.wait(again["merge"], ENDED) == ["COMPLETED"], log.read_text()
    assert command("micrographs", planted.star, "--bin", BIN, "-o", tmp_path / "one").status == 0
    same_results(tmp_path / "one", several)

    # A result that is withheld shows in the exit status of the last stage.
    written(command, planted.star, several, "--overwrite", "--max-removed", "0.01")
    withheld = submit(cluster, several)
    assert list(withheld) == ["merge"]
    assert cluster.wait(withheld["merge"], ENDED) == ["FAILED"]
    assert cluster.exit_status(withheld["merge"]) == "3:0"

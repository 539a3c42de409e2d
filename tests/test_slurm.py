"""``cryodedup slurm``: the scripts are those shown here, run in order they give the result of one run, and what is wrong is refused at once.

A program in place of sbatch runs the scripts; test_slurm_cluster uses a real Slurm.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cases import Ran, same_results, star
from cryodedup.demo import make_micrographs
from cryodedup.demo.micrographs import BIN
from cryodedup.params import MicrographParams
from cryodedup.slurm import requests
from cryodedup.slurm.scripts import template

SBATCH = """\
#!{python}
# In place of sbatch: runs a script at once, each task of an array after the other, unless the job before it failed.
import os, pathlib, re, subprocess, sys
state = pathlib.Path({state!r})
options = dict(word[2:].partition("=")[::2] for word in sys.argv[1:] if word.startswith("--"))
script = sys.argv[-1]
with (state / "calls").open("a") as calls:
    print(" ".join([script, *(f"{{name}}={{options[name]}}" for name in ("array", "dependency") if name in options)]), file=calls)
if script == (state / "refused").read_text():
    sys.exit("sbatch: error: Batch job submission failed: invalid partition")
number = len((state / "calls").read_text().splitlines())
before = options.get("dependency", "").removeprefix("afterok:")
tasks = [None]
if "array" in options:
    parts = [part.split("-") for part in options["array"].split(",")]
    tasks = [task for part in parts for task in range(int(part[0]), int(part[-1]) + 1)]
good = not before or (state / f"ok-{{before}}").exists()
for task in tasks if good else []:
    own = {{}} if task is None else {{"SLURM_ARRAY_TASK_ID": str(task)}}
    log = state / f"{{script}}-{{task}}.log"
    with log.open("w") as file:
        ran = subprocess.run(["bash", os.path.abspath(script)], stdout=file, stderr=file, stdin=subprocess.DEVNULL, env={{**os.environ, **own}}, cwd="/")
    with (state / "statuses").open("a") as file:
        print(script, task, ran.returncode, file=file)
    good = good and ran.returncode == 0
if good:
    (state / f"ok-{{number}}").touch()
print(number)
"""

SCANCEL = '#!/bin/sh\necho "$@" >> {}/cancelled\n'


class Fake:
    """What stands in place of Slurm, and what was asked of it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.known = directory, 0
        (directory / "refused").write_text("")
        sbatch = SBATCH.format(python=sys.executable, state=str(directory))
        for name, text in {"sbatch": sbatch, "squeue": "#!/bin/sh\n", "scancel": SCANCEL.format(directory)}.items():
            path = directory / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)

    def calls(self) -> list[str]:
        """What was submitted since the last question."""
        path = self.directory / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        new, self.known = lines[self.known :], len(lines)
        return new

    def statuses(self) -> list[str]:
        return (self.directory / "statuses").read_text().splitlines()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """sbatch, squeue and scancel on the PATH."""
    (tmp_path / "fake").mkdir()
    made = Fake(tmp_path / "fake")
    monkeypatch.setenv("PATH", f"{made.directory / 'bin'}{os.pathsep}{os.environ['PATH']}")
    package = Path(sys.modules["cryodedup"].__file__ or "").parents[1]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]))
    return made


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated session, in a folder whose name needs quotes."""
    return make_micrographs(tmp_path_factory.mktemp("session") / 'it\'s $HOME; a #1 "%j"').star


def submit(directory: Path, *stages: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", directory / "slurm" / "submit.sh", *stages], capture_output=True, text=True, check=False)


def test_the_scripts(tmp_path: Path, planted: Path, command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = [
        "--bin",
        BIN,
        "--fdr",
        "0.02",
        "--shards",
        3,
        "--partition",
        "cpu",
        "--account",
        "lab",
        "--setup",
        "module load python",
        "--constraint",
        "avx2",
    ]
    requested = ["--time", "1:00:00", "--time", "compare=1-12:00:00", "--mem", "merge=5G", "--cpus-per-task", 2]
    ran = command("slurm", "micrographs", os.path.relpath(planted), "-o", "unique", "--keep=earliest", "-q", *options, *requested)
    assert (ran.status, ran.out) == (0, ""), ran.err
    made = tmp_path / "unique" / "slurm"
    assert sorted(path.name for path in made.iterdir()) == ["compare.sh", "logs", "merge.sh", "plan.sh", "prepare.sh", "submit.sh"]
    (marks,) = (tmp_path / "unique" / "stages").iterdir()
    # The options are in the order of the help.
    words = f"{sys.executable} -m cryodedup micrographs --fdr=0.02 --keep=earliest --bin={BIN} --quiet --output={tmp_path}/unique"
    assert (made / "compare.sh").read_text().splitlines()[1:] == [
        "# Stage compare of a job of cryodedup 0.1.0. Do not edit: it is written anew by cryodedup slurm.",
        "#SBATCH --job-name=cryodedup-compare",
        f'#SBATCH --output="{made}/logs/%x-%A_%a.out"',
        "#SBATCH --array=1-3",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --mem=2G",
        "#SBATCH --time=1-12:00:00",
        "#SBATCH --requeue",
        '#SBATCH --partition="cpu"',
        '#SBATCH --account="lab"',
        '#SBATCH --constraint="avx2"',
        "",
        "set -e",
        "module load python",
        f"cd {tmp_path}",
        f"marks={marks}",
        'mkdir -p "$marks"',
        'rm -f "$marks/compare-$SLURM_ARRAY_TASK_ID" "$marks/merge"',
        f'{words} --stage=compare --shard="$SLURM_ARRAY_TASK_ID/3" -- {shlex.quote(os.path.relpath(planted))}',
        'touch "$marks/compare-$SLURM_ARRAY_TASK_ID"',
    ]
    merge = (made / "merge.sh").read_text()
    assert "#SBATCH --mem=5G\n#SBATCH --time=1:00:00\n" in merge
    assert "--array" not in merge
    assert "#SBATCH --mem=2G\n#SBATCH --time=1:00:00\n" in (made / "plan.sh").read_text()
    for path in made.glob("*.sh"):
        subprocess.run(["bash", "-n", path], check=True)


def test_the_stages_in_order_give_the_result_of_one_run(
    tmp_path: Path, planted: Path, command: Callable[..., Ran], fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(planted.parent)
    assert command("micrographs", planted.name, "--bin", BIN, "-o", tmp_path / "one").status == 0
    several = tmp_path / "a 'b' \"c\" $d #e %f é"
    ran = command("slurm", "micrographs", planted.name, "--bin", BIN, "-o", several, "--shards", 2, "--cpus-per-task", 2)
    assert ran.status == 0, ran.err
    monkeypatch.chdir(tmp_path)
    submitted = submit(several)
    assert (submitted.returncode, submitted.stderr) == (0, "")
    assert "compare: job 3, tasks 1-2\nmerge: job 4\n" in submitted.stdout
    assert fake.calls() == [
        "prepare.sh array=1-2",
        "plan.sh dependency=afterok:1",
        "compare.sh array=1-2 dependency=afterok:2",
        "merge.sh dependency=afterok:3",
    ]
    same_results(tmp_path / "one", several)
    assert submit(several).stdout == f"nothing is missing: {several} is done\n"
    assert fake.calls() == []

    # What is lost or failed is done again, and what follows.
    (marks,) = (several / "stages").glob("done-*")
    shutil.rmtree(several / "figures")
    for path in several.iterdir():
        if path.is_file():
            path.unlink()
    for mark in ("compare-2", "merge"):
        (marks / mark).unlink()
    kept = several / "stages" / "compared-00001-of-00002.npz"
    before = kept.stat().st_mtime_ns
    (several / "stages" / "compared-00002-of-00002.npz").unlink()
    assert submit(several, "merge").returncode == 0
    assert "expected all; run --stage compare for shard 2" in (fake.directory / "merge.sh-None.log").read_text()
    assert fake.calls() == ["merge.sh"]
    assert submit(several).returncode == 0
    assert fake.calls() == ["compare.sh array=2", "merge.sh dependency=afterok:6"]
    same_results(tmp_path / "one", several)
    assert kept.stat().st_mtime_ns == before

    # Other options of the last stage alone: only that is missing. It withholds the result, and its exit status says so.
    monkeypatch.chdir(planted.parent)
    again = ["--bin", BIN, "-o", several, "--shards", 2, "--overwrite", "--max-removed", "0.01", "--submit"]
    assert command("slurm", "micrographs", planted.name, *again, "--cpus-per-task", 2).status == 0
    assert fake.calls() == ["merge.sh"]
    assert fake.statuses()[-1] == "merge.sh None 3"
    assert "cryodedup: withheld:" in (fake.directory / "merge.sh-None.log").read_text()
    # Others of all stages: everything is.
    (fake.directory / "refused").write_text("prepare.sh")
    assert command("slurm", "micrographs", planted.name, *again, "--order", "name").status == 1
    assert fake.calls() == ["prepare.sh array=1-2"]


def test_a_failure_stops_the_stages_after_it_and_only_the_rest_is_submitted_again(
    tmp_path: Path, planted: Path, command: Callable[..., Ran], fake: Fake
) -> None:
    fault = tmp_path / "fault"
    fault.touch()
    setup = f'test ! -e {fault} || test "$SLURM_ARRAY_TASK_ID" != 2'
    output = tmp_path / "out"
    assert command("slurm", "micrographs", planted, "--bin", BIN, "-o", output, "--shards", 3, "--setup", setup, "--submit").status == 0
    assert fake.statuses() == ["prepare.sh 1 0", "prepare.sh 2 1", "prepare.sh 3 0"]
    assert not (output / "summary.json").exists()
    fault.unlink()
    fake.calls()
    assert submit(output).returncode == 0
    assert fake.calls()[:2] == ["prepare.sh array=2", "plan.sh dependency=afterok:5"]
    assert (output / "summary.json").exists()


def test_what_cannot_be_submitted_whole_is_not_submitted(tmp_path: Path, planted: Path, command: Callable[..., Ran], fake: Fake) -> None:
    (fake.directory / "refused").write_text("compare.sh")
    ran = command("slurm", "micrographs", planted, "--bin", BIN, "-o", tmp_path / "out", "--shards", 1, "--setup", "false")
    assert ran.status == 0
    submitted = submit(tmp_path / "out")
    assert submitted.returncode == 1
    assert submitted.stderr.splitlines()[-1] == "submit.sh: the jobs that were submitted are cancelled"
    assert (fake.directory / "cancelled").read_text() == "1 2\n"
    assert (
        submit(tmp_path / "out", "compared").stderr == "submit.sh: found stage 'compared', expected some of: prepare plan compare merge\n"
    )


def test_jobs_in_the_queue_are_not_submitted_twice(tmp_path: Path, planted: Path, command: Callable[..., Ran], fake: Fake) -> None:
    assert command("slurm", "micrographs", planted, "-o", tmp_path / "out", "--setup", "false", "--submit").status == 0
    (fake.directory / "bin" / "squeue").write_text("#!/bin/sh\nprintf '3\\n3\\n4\\n'\n")
    submitted = submit(tmp_path / "out")
    assert submitted.returncode == 2
    assert submitted.stderr == "submit.sh: jobs of this directory are still in the queue; wait for them, or: scancel 3 4\n"


def test_particles_are_one_job(tmp_path: Path, command: Callable[..., Ran], fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    star(tmp_path / "-picks.star", [(10 * i, 20 * (i // 2), "a.mrc") for i in range(40)])
    options = ["--pixel-size", "-picks=1.5"]
    ran = command("slurm", "particles", "--min-separation", 30, *options, "-o", "clean", "--submit", "--", "-picks.star")
    assert ran.status == 0, ran.err
    assert fake.calls() == ["particles.sh"]
    assert fake.statuses() == ["particles.sh None 0"]
    assert command("particles", "--min-separation", 30, *options, "-o", "one", "--", "-picks.star").status == 0
    same_results(tmp_path / "one", tmp_path / "clean")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bin", "999"], "--bin: found 999, expected a whole number from 1 to 64"),
        (["--fdr", "0.1", "--threshold", "0.1"], "found --fdr and --threshold, expected one of them"),
        (["--search", "all", "--scan-range", "5"], "--scan-range: found 5 with --search all, expected --search window"),
        (["--stage", "plan"], "No such option"),
        (["--shard", "1/2"], "No such option"),
        (["--shards", "0"], "Invalid value for '--shards'"),
        (["--shards", "1000"], "--shards: found 1,000, expected at most"),
        (
            ["--time", "soon"],
            "--time: found 'soon', expected minutes, or hours, minutes and seconds such as 2:00:00, or STAGE=VALUE for one of prepare,"
            " plan, compare, merge",
        ),
        (["--time", "00:30"], "--time: found '00:30', expected minutes, or hours, minutes and seconds"),
        (["--mem", "other=8G"], "--mem: found 'other=8G', expected an amount of memory such as 8G"),
        (["--cpus-per-task", "0"], "--cpus-per-task: found '0', expected a whole number from 1 to 9999"),
        (["--partition", ""], "--partition: found '', expected a name without spaces or quotes"),
        (["--account", "a\n#SBATCH --uid=0"], "--account: found 'a\\n#SBATCH --uid=0', expected a name without spaces or quotes"),
        (["--setup", "a\nb"], "--setup: found a line break in 'a\\nb', expected none"),
        (["--template", "no/such.j2"], "no/such.j2: no such file"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    tmp_path: Path, planted: Path, command: Callable[..., Ran], options: list[str], message: str
) -> None:
    ran = command("slurm", "micrographs", planted, "-o", tmp_path / "out", *options)
    assert ran.status == 2
    assert message.lower() in ran.err.lower()
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_wrong_inputs_and_directories_are_refused(
    tmp_path: Path, planted: Path, command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert "no.star: no such file" in command("slurm", "micrographs", tmp_path / "no.star", "-o", out).err.lower()
    assert "no.star: no such file" in command("slurm", "particles", tmp_path / "no.star", "-o", out).err.lower()
    assert "missing -o DIR" in command("slurm", "micrographs", planted).err
    assert "missing -o DIR" in command("slurm", "particles", planted, "--dry-run").err
    found = command("slurm", "particles", planted, "-o", out, "--time", "plan=1:00:00").err
    assert "found a value for the stage plan, expected a value without a stage" in found
    assert "found no such file" in command("slurm", "particles", planted, "--micrographs", tmp_path / "no.star", "-o", out).err
    assert "found a line break" in command("slurm", "micrographs", planted, "-o", tmp_path / "a\nb").err
    assert "found a backslash" in command("slurm", "micrographs", planted, "-o", tmp_path / "a\\b").err
    assert not out.exists()
    out.mkdir()
    (out / "summary.json").write_text("{}")
    assert "output exists" in command("slurm", "micrographs", planted, "-o", out).err
    assert "output exists" in command("slurm", "particles", planted, "-o", out).err
    monkeypatch.setenv("PATH", "/nowhere")
    assert "found no sbatch" in command("slurm", "micrographs", planted, "-o", tmp_path / "new", "--submit").err


def test_the_template_can_be_changed(tmp_path: Path, planted: Path, command: Callable[..., Ran]) -> None:
    printed = command("slurm", "template").out
    assert printed == template()
    own = tmp_path / "own.j2"
    own.write_text(printed.replace("#SBATCH --requeue\n", "#SBATCH --no-requeue\n#SBATCH --mail-type=FAIL\n"))
    assert command("slurm", "micrographs", planted, "-o", tmp_path / "out", "--template", own).status == 0
    assert "#SBATCH --no-requeue\n#SBATCH --mail-type=FAIL\n" in (tmp_path / "out" / "slurm" / "plan.sh").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{% if %}", "own.j2, line 2: "),
        ("{{ nodes }}\n{{ work }}", "own.j2: 'nodes' is undefined"),
        ("{{ ''.__class__.__mro__ }}\n{{ work }}", "own.j2: access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ 1 / 0 }}", "own.j2: division by zero"),
        ("#!/bin/bash\n", "own.j2: found no {{ work }}, expected it where the script runs the command"),
        (b"\xff", "own.j2: found bytes that are not UTF-8"),
    ],
)
def test_a_wrong_template_is_refused(tmp_path: Path, planted: Path, command: Callable[..., Ran], text: str | bytes, message: str) -> None:
    own = tmp_path / "own.j2"
    own.write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = command("slurm", "micrographs", planted, "-o", tmp_path / "out", "--template", own)
    assert ran.status == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert not list((tmp_path / "out").glob("slurm/*.sh"))


def test_larger_sessions_ask_for_more(tmp_path: Path) -> None:
    params = MicrographParams()
    frame = 94_000_000
    asked = {n: requests.of_micrographs(n, n * frame, params, requests.tasks_of(n, n * frame, params, 4)) for n in (20, 5_000, 50_000)}
    assert [requests.tasks_of(n, n * frame, params, 4) for n in asked] == [1, 8, 50]
    for stage in ("prepare", "plan", "compare", "merge"):
        several = [asked[n][stage](4) for n in asked]
        assert [(one.cpus, int(one.memory[:-1])) for one in several] == sorted((4, int(one.memory[:-1])) for one in several)
    assert asked[20]["prepare"](4).time == "00:30:00"
    assert asked[50_000]["compare"](4).memory == "5G"
    huge = requests.of_micrographs(500_000, 500_000 * frame, params, 1)["prepare"](4)
    assert huge.time.count("-") == 1
    picks = star(tmp_path / "p.star", [(1, 2, "a")])
    assert requests.of_particles([picks, tmp_path], 3).memory == "4G"

"""The engine: workers of Dask that are killed, that join or that are unfit change nothing in the result."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from cryodedup import MicrographParams
from cryodedup.cli import run
from cryodedup.demo.micrographs import Planted, make_micrographs
from cryodedup.errors import InputError, InUseError
from cryodedup.micrographs.stages.files import STAGES
from cryodedup.progress import SILENT

pytest.importorskip("distributed", reason="needs the extra [hpc]: pip install 'cryodedup[hpc]'")
if not (find_spec("dask_jobqueue") and find_spec("cryptography")):  # imported here, the first would replace the handlers of signals
    pytest.skip("needs the extra [hpc]: pip install 'cryodedup[hpc]'", allow_module_level=True)

from distributed import KilledWorker

from cryodedup.micrographs.stages import dask_task, dask_workers

PATIENCE_S = 60
BIN = "4"
PYTHON = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
HOLD = """
import os, time
from pathlib import Path
from cryodedup.micrographs.stages import dask_task

def hold(*arguments):
    Path(os.environ["HELD"]).touch()
    try:
        while True:
            arguments[-1].advance_to(0)
            time.sleep(0.02)
    finally:
        Path(os.environ["HELD"] + ".released").touch()

setattr(dask_task, os.environ["HOLD"], hold)
"""
"""For a worker: it begins a stage and goes on for ever, until it is killed or the task is cancelled."""
OTHER = """
from cryodedup.micrographs.stages import dask_task
dask_task.computed = lambda: {"the processor's instructions": "another"}
"""
"""For a worker: it computes with other instructions than the rest."""
SBATCH = """#!/bin/sh
cp "$2" {folder}/submitted.sh 2>/dev/null || cp "$1" {folder}/submitted.sh
setsid sh {folder}/submitted.sh > {folder}/job.log 2>&1 &
echo "Submitted batch job $!"
"""


@contextmanager
def process(*arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", *map(str, arguments)]
    environ = {**os.environ, **PYTHON, **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as started:
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()


def wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make_micrographs(tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of a scheduler without workers."""
    file = tmp_path_factory.mktemp("scheduler") / "scheduler.json"
    with process("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", file):
        wait_for(file.exists)
        yield file


class Cluster:
    """Starts workers, and the command line, at a scheduler."""

    def __init__(self, scheduler: Path, folder: Path, stack: ExitStack) -> None:
        self.scheduler, self.folder, self.stack = scheduler, folder, stack

    def worker(self, name: str, preload: str = "", **environment: str) -> subprocess.Popen[str]:
        script = self.folder / f"{name}.py"
        script.write_text(preload)
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--local-directory", self.folder / "scratch"]
        return self.stack.enter_context(
            process("distributed.cli.dask_worker", "--scheduler-file", self.scheduler, *options, "--preload", script, **environment)
        )

    def holding(self, stage: str) -> tuple[subprocess.Popen[str], Path]:
        """A worker that holds a stage for ever, and the file that appears when it does."""
        held = self.folder / f"held-{stage}"
        return self.worker(stage, HOLD, HOLD=stage, HELD=str(held)), held

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        engine = ["--bin", BIN, "--engine", "dask", "--scheduler", self.scheduler]
        return self.stack.enter_context(process("cryodedup", "micrographs", *arguments, *engine))


@pytest.fixture
def cluster(scheduler: Path, tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(scheduler, tmp_path, stack)


def results(directory: Path) -> dict[str, bytes]:
    """Every file of a result, without the stages, the page (which names the command) and what differs from run to run: times and memory."""
    files = {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*")) if path.is_file()}
    kept = {
        name: path.read_bytes()
        for name, path in files.items()
        if not name.startswith(f"{STAGES}/") and name not in ("report.html", "prepared.cache")
    }
    summary = json.loads(kept.pop("summary.json"))
    summary.pop("times_s")
    summary.pop("peak_memory_gb")
    return kept | {"summary.json": json.dumps(summary).encode()}


@pytest.fixture(scope="module")
def single(session: Planted, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The result of one run."""
    directory = tmp_path_factory.mktemp("single")
    assert run(["micrographs", str(session.star), "--bin", BIN, "--quiet", "-o", str(directory)]) == 0
    return results(directory)


def test_workers_killed_while_they_hold_tasks_and_one_that_joins_change_nothing(
    session: Planted, cluster: Cluster, single: dict[str, bytes]
) -> None:
    preparing, held_one = cluster.holding("prepare")
    ran = cluster.start(session.star, "-o", cluster.folder / "unique")
    wait_for(held_one.exists)
    comparing, held_other = cluster.holding("compare")
    preparing.kill()  # SIGKILL: the worker that joins prepares all, then holds
    wait_for(held_other.exists)
    comparing.kill()
    cluster.worker("joins")
    out, err = ran.communicate(timeout=PATIENCE_S)
    assert ran.returncode == 0, err
    assert len(re.findall(r"worker \S+ was lost; (prepare|compare) \d of \d is given to another worker", err)) == 2
    assert "compare: 5 of 5 tasks done" in err
    assert "9 pairs in 9 sets" in out
    assert results(cluster.folder / "unique") == single


def test_ctrl_c_ends_the_run_and_its_tasks(session: Planted, cluster: Cluster) -> None:
    worker, held = cluster.holding("prepare")
    ran = cluster.start(session.star, "-o", cluster.folder / "unique", "--shards", "2")
    wait_for(held.exists)
    ran.send_signal(signal.SIGINT)
    _, err = ran.communicate(timeout=PATIENCE_S)
    assert (ran.returncode, err.splitlines()[-1]) == (130, "cryodedup: error: interrupted")
    wait_for(held.with_name(f"{held.name}.released").exists)
    assert worker.poll() is None


def test_a_users_error_in_a_task_is_one_line(session: Planted, cluster: Cluster) -> None:
    cluster.worker("one")
    ran = cluster.start(session.star, "-o", cluster.folder / "unique", "--keep", "best-ctf")
    out, err = ran.communicate(timeout=PATIENCE_S)
    assert (ran.returncode, out) == (2, "")
    line = f"cryodedup: error: {session.star}: found no rlnCtfMaxResolution or ctf_stats/ctf_fit_to_A, expected one of the two for --keep best-ctf"
    assert err.splitlines()[-1] == line
    assert "Traceback" not in err
    assert not (cluster.folder / "unique").exists()


def test_a_worker_with_other_instructions_is_refused(session: Planted, cluster: Cluster) -> None:
    cluster.worker("other", OTHER)
    ran = cluster.start(session.star, "-o", cluster.folder / "unique")
    _, err = ran.communicate(timeout=PATIENCE_S)
    assert ran.returncode == 2
    assert "found the processor's instructions another on " in err.splitlines()[-1]


def test_a_worker_that_does_not_see_the_files_says_so(session: Planted, tmp_path: Path) -> None:
    params = MicrographParams(bin=int(BIN))
    with dask_task.run_from((session.star,), params, tmp_path) as given:
        token = given.token
        assert token.exists()
    gone = dask_task.do(dask_task.Task(given, "prepare"), 1)
    assert gone.unfit is not None
    assert gone.unfit.startswith(f"{token.parent.parent}: found no such directory on ")
    nowhere = dask_task.Run(given.inputs, params, tmp_path, tmp_path / "none", token, given.computed)
    elsewhere = dask_task.do(dask_task.Task(nowhere, "prepare"), 1)
    assert elsewhere.unfit is not None
    assert elsewhere.unfit.startswith(f"{tmp_path / 'none'}: found no such directory")


class Fake:
    """A client of one worker, which answers at once; ``answers`` are given one after another."""

    def __init__(self, answers: list[dask_task.Answer | Exception]) -> None:
        self.answers, self.status, self.address = answers, "finished", "tcp://0"

    def nthreads(self) -> dict[str, int]:
        return {self.address: 2}

    def submit(self, *arguments: object, **options: object) -> Fake:
        assert (options["workers"], options["pure"], arguments[2]) == ([self.address], False, 2)
        return self

    def add_done_callback(self, call: Callable[[Fake], None]) -> None:
        call(self)

    def done(self) -> bool:
        return True

    def result(self, timeout: float) -> bytes:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dask_task.packed(answer)

    def release(self) -> None: ...


IN_USE = dask_task.Answer(error=InUseError(kind="resources", path="a.cache", reason="another run uses this file"))
FULL = dask_task.Answer(error=OSError(28, "No space left on device"))
LOST = KilledWorker("task", None, 3)


@pytest.mark.parametrize(
    ("answers", "raised"),
    [
        ([IN_USE] * 5 + [FULL] * 2 + [LOST] * 9, None),
        ([IN_USE] * 36, InUseError),
        ([FULL] * 3, OSError),
        ([LOST] * 10, ChildProcessError),
        ([dask_task.Answer(error=InputError(kind="missing", found="nothing"))], InputError),
        ([dask_task.Answer(unfit="elsewhere")], InputError),
        ([ZeroDivisionError()], ZeroDivisionError),
    ],
)
def test_how_often_a_task_is_tried(
    answers: list[dask_task.Answer | Exception],
    raised: type[Exception] | None,
    session: Planted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask_workers, "_PAUSE_S", 0.0)
    monkeypatch.setattr(dask_workers, "_GLANCE_S", 0.0)
    client = Fake([*answers, dask_task.Answer()])
    with dask_task.run_from((session.star,), MicrographParams(), tmp_path) as given, ExitStack() as stack:
        if raised is not None:
            stack.enter_context(pytest.raises(raised))
        dask_workers.Workers(client, SILENT).do([dask_task.Task(given, "prepare")])
    assert len(client.answers) == (0 if raised is None else 1)


def test_no_scheduler_is_a_users_error(session: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for scheduler, found in (
        (tmp_path / "scheduler.json", "found no such file"),
        ("tcp://127.0.0.1:1", "no Dask scheduler answers there ("),
    ):
        arguments = ["micrographs", session.star, "-o", tmp_path / "unique", "--engine", "dask", "--scheduler", scheduler]
        assert run([str(argument) for argument in arguments]) == 2
        assert capsys.readouterr().err.startswith(f"cryodedup: error: --scheduler {scheduler}: {found}")
    assert not (tmp_path / "unique").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--engine", "dask"], "--engine dask: found neither --scheduler nor --jobqueue, expected one of them"),
        (["--engine", "dask", "--scheduler", "a", "--jobqueue", "slurm"], "--engine dask: found --scheduler and --jobqueue, expected one"),
        (["--engine", "dask", "--scheduler", "a", "--jobs", "2"], "found --jobs without --jobqueue"),
        (["--engine", "dask", "--scheduler", "a", "--stage", "plan"], "found --engine and --stage, expected one of them"),
        (["--shards", "3"], "found --shards without --engine"),
    ],
)
def test_options_that_do_not_go_together(options: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["micrographs", str(tmp_path), "-o", str(tmp_path / "out"), *options]) == 2
    assert capsys.readouterr().err.startswith(f"cryodedup: error: {line}")


@pytest.mark.parametrize("address", ["foo", "", "http://x:1", "tcp://x", "nonsense://"])
def test_what_is_no_address_is_refused_at_once(session: Planted, tmp_path: Path, address: str) -> None:
    arguments = [session.star, "-o", tmp_path / "out", "--engine", "dask", "--scheduler", address]
    with process("cryodedup", "micrographs", *arguments) as ran:
        _, err = ran.communicate(timeout=PATIENCE_S)
    assert (ran.returncode, len(err.splitlines())) == (2, 1)
    assert f"--scheduler: found {address!r}, expected an address" in err


@pytest.mark.parametrize("options", [["--scheduler", "tcp://host:8786"], ["--jobqueue", "slurm"]])
def test_without_dask_the_extra_is_named(options: list[str], session: Planted, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['dask', 'distributed', 'dask_jobqueue']));"
        f"from cryodedup.cli import run; sys.exit(run(['micrographs', {str(session.star)!r}, '-o', 'out', '--engine', 'dask', *{options}]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **PYTHON}, check=False
    )
    assert ran.returncode == 2
    assert re.fullmatch(r"cryodedup: error: --\w+ \w+: missing [\w -]+; pip install 'cryodedup\[hpc\]'\n", ran.stderr, re.IGNORECASE)


def test_nothing_of_dask_is_imported_unless_it_is_asked_for() -> None:
    program = (
        "import sys; import cryodedup.cli.micrographs, cryodedup.micrographs.stages.dask_cluster;"
        "print({'dask', 'distributed', 'dask_jobqueue'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **PYTHON}, check=True)
    assert ran.stdout.strip() == "set()"


@contextmanager
def run_by_slurm(session: Planted, tmp_path: Path, sbatch: str) -> Iterator[subprocess.Popen[str]]:
    """The command line with programs of Slurm that act on this machine."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"sbatch": sbatch, "scancel": '#!/bin/sh\nkill -- "-$1"\n'}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "config").mkdir()
    configured = {"cores": 2, "memory": "4GB", "queue": "cpu", "account": "em", "walltime": "01:00:00", "interface": "lo"}
    slurm = configured | {"job-extra-directives": ["--qos=high"], "local-directory": str(tmp_path)}
    (tmp_path / "config" / "jobqueue.yaml").write_text(json.dumps({"jobqueue": {"slurm": slurm}}))
    arguments = [session.star, "-o", tmp_path / "unique", "--bin", BIN, "--engine", "dask", "--jobqueue", "slurm", "--jobs", "1"]
    environ = {"PATH": f"{programs}:{os.environ['PATH']}", "DASK_CONFIG": str(tmp_path / "config")}
    with process("cryodedup", "micrographs", *arguments, **environ) as ran:
        yield ran


def test_jobs_of_slurm(session: Planted, tmp_path: Path, single: dict[str, bytes]) -> None:
    with run_by_slurm(session, tmp_path, SBATCH.format(folder=tmp_path)) as ran:
        _, err = ran.communicate(timeout=PATIENCE_S)
    assert ran.returncode == 0, err
    assert "dask: 1 worker with 2 threads, 5 shards" in err
    assert "Traceback" not in err
    assert results(tmp_path / "unique") == single
    script = (tmp_path / "submitted.sh").read_text()
    directives = re.findall(r"^#SBATCH (.+)$", script, re.MULTILINE)
    assert {"-p cpu", "-A em", "-t 01:00:00", "--cpus-per-task=2", "--qos=high", "--nodes=1"} <= set(directives)
    assert "--nthreads 2" in script
    assert "--memory-limit 0" in script
    assert "distributed.cli.dask_worker tls://" in script
    assert sorted(path.name for path in (tmp_path / "unique").iterdir() if path.name.startswith(".")) == []


def test_ctrl_c_while_jobs_wait_in_the_queue(session: Planted, tmp_path: Path) -> None:
    with run_by_slurm(session, tmp_path, "#!/bin/sh\necho Submitted batch job 99999999\n") as ran:
        assert ran.stderr is not None
        assert "waiting for a worker\n" in iter(ran.stderr.readline, "")
        ran.send_signal(signal.SIGINT)
        _, err = ran.communicate(timeout=PATIENCE_S)
    assert (ran.returncode, err.splitlines()[-1]) == (130, "cryodedup: error: interrupted")
    assert not (tmp_path / "unique").exists()


def test_a_jobs_missing_settings_are_named(session: Planted, tmp_path: Path) -> None:
    arguments = [session.star, "-o", tmp_path / "unique", "--engine", "dask", "--jobqueue", "slurm"]
    with process("cryodedup", "micrographs", *arguments, DASK_CONFIG=str(tmp_path)) as ran:
        _, err = ran.communicate(timeout=PATIENCE_S)
    assert ran.returncode == 2
    assert err.splitlines()[-1].startswith("cryodedup: error: --jobqueue slurm: ")
    assert "jobqueue.yaml" in err
    assert "Traceback" not in err
    assert not (tmp_path / "unique").exists()

"""A Slurm cluster of one node on this machine, for the tests: its own ports, keys, configuration and spool in one directory.

It needs no systemd, control groups or database, and touches nothing of a Slurm that the machine may have. ``python tests/slurm_cluster.py``
starts one, prints how to use it, and ends it on Ctrl-C.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
STARTS_WITHIN_S = 30.0
PROCESSORS = 2
CONFIGURATION = """\
ClusterName=cryodedup-test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdParameters=config_overrides
MinJobAge=3600
KillWait=5
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 Port={node} CPUs={processors} RealMemory=64000 State=UNKNOWN
PartitionName=all Nodes=node Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> str:
    """Why no cluster can be started here; empty if one can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if absent:
        return f"no Slurm on this machine ({', '.join(absent)} not found; Debian: slurm-wlm and munge)"
    return "" if os.geteuid() == 0 else "a Slurm of its own needs root"


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs; ``environment``: of programs that are to use it."""

    directory: Path
    environment: dict[str, str]

    def call(self, *words: str | Path) -> str:
        """The output of a program of Slurm."""
        ran = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, f"{words}: {ran.stderr}"
        return ran.stdout

    def states(self, job: str) -> list[str]:
        """The states of a job, or of its tasks, ended ones too: "COMPLETED", "FAILED", ...; [] if Slurm dropped it."""
        return self.call("squeue", "--noheader", "--array", "--states=all", f"--jobs={job}", "--format=%T").split()

    def exit_status(self, job: str) -> str:
        """Exit status and signal, as "3:0"."""
        shown = self.call("scontrol", "--oneliner", "show", "job", job)
        return next(word.removeprefix("ExitCode=") for word in shown.split() if word.startswith("ExitCode="))

    def wait(self, job: str, wanted: set[str], within_s: float = 60.0) -> list[str]:
        """Waits until every task of a job is in one of these states; returns the states."""
        end = time.monotonic() + within_s
        while not (states := self.states(job)) or not set(states) <= wanted:
            assert time.monotonic() < end, f"job {job}: found {states}, expected {wanted}\n{self.logs()}"
            time.sleep(0.1)
        return states

    def logs(self) -> str:
        """The ends of the logs of Slurm."""
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-1500:]}" for path in self.directory.glob("*.log"))


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Starts a cluster, and ends it, its jobs too.

    Raises
    ------
    RuntimeError
        It does not start; the message holds its logs.
    """
    directory = Path(tempfile.mkdtemp(prefix="slurm-"))  # short: paths of sockets may have about 100 characters
    directory.chmod(0o755)
    (directory / "state").mkdir()
    (directory / "spool").mkdir()
    key = directory / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    controller, node = _free_ports(2)
    host = socket.gethostname().split(".")[0]
    configuration = CONFIGURATION.format(directory=directory, host=host, controller=controller, node=node, processors=PROCESSORS)
    if _version() >= (23, 2):
        (directory / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    (directory / "slurm.conf").write_text(configuration)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_", "SQUEUE_", "SCANCEL_"))}
    made = Cluster(directory, {**own, "PATH": PATH, "SLURM_CONF": str(directory / "slurm.conf")})
    daemons: list[subprocess.Popen[bytes]] = []

    def start(*words: str | Path) -> None:
        with (directory / f"{words[0]}.out.log").open("wb") as log:
            daemons.append(subprocess.Popen(words, env=made.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    try:
        munge = [f"--{name}={directory / 'munge'}.{name.split('-')[0]}" for name in ("socket", "key-file", "pid-file", "seed-file")]
        start("munged", "--foreground", "--force", *munge, f"--log-file={directory / 'munged.log'}")
        _until((directory / "munge.socket").exists, made, daemons)
        start("slurmctld", "-D", "-f", directory / "slurm.conf")
        start("slurmd", "-D", "-N", "node", "-f", directory / "slurm.conf")
        _until(lambda: _is_idle(made), made, daemons)
        yield made
    finally:
        with suppress(Exception):
            subprocess.run(["scancel", "--user=root"], env=made.environment, timeout=20, capture_output=True, check=False)
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _is_idle(made: Cluster) -> bool:
    ran = subprocess.run(["sinfo", "--noheader", "--format=%T"], env=made.environment, capture_output=True, text=True, check=False)
    return ran.stdout.strip() == "idle"


def _until(is_so: Callable[[], bool], made: Cluster, daemons: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + STARTS_WITHIN_S
    while not is_so():
        if time.monotonic() > end or any(daemon.poll() is not None for daemon in daemons):
            raise RuntimeError(f"Slurm did not start\n{made.logs()}")
        time.sleep(0.1)


def _version() -> tuple[int, ...]:
    words = subprocess.run(["slurmctld", "-V"], env={**os.environ, "PATH": PATH}, capture_output=True, text=True, check=True).stdout.split()
    return tuple(int(number) for number in words[-1].split(".")[:2])


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    with cluster() as started, suppress(KeyboardInterrupt):
        print(f"export SLURM_CONF={started.environment['SLURM_CONF']}", flush=True)
        while True:
            time.sleep(3600)

"""One trial of a fault: a command is started, something happens to it, and what is left is compared with what may be left."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

COMMAND = [sys.executable, "-m", "cryodedup"]
CHANGING = ("times_s", "forecast", "peak_memory_gb")
"""Entries of a summary that are measurements of the run itself."""
PREPARED = re.compile(r"prepared\.cache.*|\.?watch\.npz(\.writing)?")
"""Not a result: the reduced images, in the order in which they were read, and what watching goes on from."""
STAGES = "stages"
UNFINISHED = "UNFINISHED.txt"
EVENTS = "watch.jsonl"
LIMIT_S = 120

Contents = dict[str, str]


def contents(directory: Path) -> Contents:
    """A digest of every file of a result without its times, and nothing of staging directories and prepared images."""
    found: Contents = {}
    for path in sorted(directory.rglob("*")) if directory.exists() else []:
        name = path.relative_to(directory).as_posix()
        ours = name.startswith((".cryodedup-", f"{STAGES}/")) or "/.cryodedup-" in name or PREPARED.fullmatch(path.name)
        if not path.is_file() or ours:
            continue
        found[name] = hashlib.blake2b(_without_times(path), digest_size=16).hexdigest()
    return found


def _without_times(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.name == "report.html":  # it shows when it was made, and the command
        raw = re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d \S*", b"", raw)
        return raw.replace(b" --overwrite", b"").replace(b" --stage merge", b"")
    if path.name == EVENTS:  # what is found; the figures depend on which micrographs were there when it began
        return b"".join(re.findall(rb'"event": "[^"]*", "original": "[^"]*", "duplicate": "[^"]*"', raw))
    if path.name == "summary.json":
        return json.dumps({key: value for key, value in json.loads(raw).items() if key not in CHANGING}).encode()
    if path.suffix == ".mrc":
        return raw[1024:]  # behind the header, which has the date
    return re.sub(rb"# Created by .*\n", b"", raw) if path.suffix == ".star" else raw


def _sizes(directory: Path) -> list[int]:
    return [path.stat().st_size for path in directory.rglob("*") if path.is_file()]


def digests(files: list[Path]) -> Contents:
    """A digest of every input."""
    return {str(path): hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() for path in files if path.exists()}


@dataclass
class Task:
    """A command that replaces an earlier result of itself.

    ``old`` and ``new`` are its arguments, both for the directory ``out``; ``inputs`` the files that must stay as they are.
    """

    name: str
    old: list[str]
    new: list[str]
    inputs: list[Path]
    out: Path
    results: dict[str, Contents] = field(default_factory=dict)
    duration_s: float = 0.0
    sizes: list[int] = field(default_factory=list)
    """Of the files of the new result."""
    left_out: tuple[str, Contents] | None = None
    """A file that a run may name and leave out, when it vanishes after its header was read; and a result without it."""

    @property
    def command(self) -> list[str]:
        """The words that are run over the old result."""
        return [*COMMAND, *self.new, "--overwrite"]

    @property
    def rival(self) -> list[str]:
        """The words of a second run into the directory: that of the old result, so that whichever ends last decides."""
        return [*COMMAND, *self.old, "--overwrite"]

    @property
    def earlier(self) -> Path:
        """A copy of the old result."""
        return self.out.with_name(f"{self.name}-earlier")

    def prepare(self) -> None:
        """Makes both results, and measures how long the new one takes."""
        for name, arguments in (("new", self.new), ("old", self.old)):
            shutil.rmtree(self.out, ignore_errors=True)
            subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)
            self.results[name] = contents(self.out)
            if name == "new":
                self.sizes = _sizes(self.out)
        assert self.results["old"] != self.results["new"]
        shutil.rmtree(self.earlier, ignore_errors=True)
        shutil.copytree(self.out, self.earlier, ignore=lambda _, names: [name for name in names if PREPARED.fullmatch(name)])
        started = time.monotonic()
        subprocess.run(self.command, check=True, capture_output=True)
        self.duration_s = time.monotonic() - started
        assert contents(self.out) == self.results["new"]

    def restore(self) -> None:
        """Puts the old result into place."""
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.earlier, self.out)

    def state(self) -> str:
        """``old``, ``new``, ``unfinished`` or ``mixture``."""
        now = contents(self.out)
        for name, expected in self.results.items():
            if now == expected:
                return name
        if self.left_out is not None and self._is_without(*self.left_out, now):
            return "changed"
        if (self.out / UNFINISHED).exists() if self.name == "demo" else "summary.json" not in now:
            return "unfinished"
        return "mixture"

    def _is_without(self, name: str, expected: Contents, now: Contents) -> bool:
        """Whether this is the expected result but for the reason why a file was left out."""
        texts = {"summary.json", "report.html"}
        same = {**now, **dict.fromkeys(texts, "")} == {**expected, **dict.fromkeys(texts, "")}
        return same and any(name in one["micrograph"] for one in json.loads((self.out / "summary.json").read_text())["unreadable"])

    def repeat(self, state: str) -> bool | None:
        """Whether a further run gives the new result; None: one of the results is there, and whole."""
        if state in self.results:
            return None
        return self._runs([self.command]) and self.state() == "new"

    def _runs(self, commands: Sequence[Sequence[str]]) -> bool:
        return all(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in commands)


@dataclass
class StageTask(Task):
    """One stage of a job that replaces an earlier result.

    ``stages`` are the arguments of all, ``number`` is that of this one. What the stages before it left is there when it begins. A trial
    goes on from this stage, again, to the last one.
    """

    stages: list[list[str]] = field(default_factory=list)
    number: int = 0

    @property
    def command(self) -> list[str]:
        """The words that are run over the old result."""
        return [*COMMAND, *self.stages[self.number], "--overwrite"]

    @property
    def rival(self) -> list[str]:
        """The same stage: two of one are harmless."""
        return self.command

    @property
    def earlier(self) -> Path:
        """A copy of the old result, and of what the stages before this one leave."""
        return self.out.with_name(f"{self.name}-begun-{self.number}")

    @classmethod
    def all_of(cls, task: Task, shards: int) -> list[StageTask]:
        """The stages of a task that is prepared, those that are shared as one process for each shard."""
        names = [("prepare", True), ("plan", False), ("compare", True), ("merge", False)]
        words = [
            [*task.new, "--stage", name, *([f"--shard={k + 1}/{shards}"] if shared else [])]
            for name, shared in names
            for k in range(shards if shared else 1)
        ]
        made = [
            cls(task.name, task.old, task.new, task.inputs, task.out, dict(task.results), stages=words, number=k) for k in range(len(words))
        ]
        task.restore()
        for stage in made:
            shutil.copytree(task.out, stage.earlier)
            started = time.monotonic()
            subprocess.run(stage.command, check=True, capture_output=True)
            stage.duration_s = time.monotonic() - started
            stage.sizes = [max(1, sum(_sizes(task.out)) - sum(_sizes(stage.earlier)))]
        assert contents(task.out) == task.results["new"]
        return made

    def repeat(self, state: str) -> bool | None:
        """Whether this stage and those after it give the new result."""
        return self._runs([[*COMMAND, *words, "--overwrite"] for words in self.stages[self.number :]]) and self.state() == "new"


@dataclass
class WatchTask(Task):
    """Watching: what it reports is its result; there is no earlier one."""

    @property
    def command(self) -> list[str]:
        """The words that are run."""
        return [*COMMAND, *self.new]

    @property
    def rival(self) -> list[str]:
        """The same: it is refused."""
        return self.command

    def prepare(self) -> None:
        """Makes the result, and measures how long that takes."""
        shutil.rmtree(self.out, ignore_errors=True)
        started = time.monotonic()
        subprocess.run(self.command, check=True, capture_output=True)
        self.duration_s = time.monotonic() - started
        self.results["new"], self.sizes = contents(self.out), _sizes(self.out)
        self.events = self._events()
        assert self.events
        self.earlier.mkdir()

    def state(self) -> str:
        """``new``, ``unfinished`` (the first of the events), or ``mixture``."""
        now = contents(self.out)
        if now == self.results["new"]:
            return "new"
        return "unfinished" if now.keys() <= {EVENTS} and self.events.startswith(self._events()) else "mixture"

    def _events(self) -> bytes:
        path = self.out / EVENTS
        return _without_times(path) if path.exists() else b""


@dataclass
class Trial:
    """What came of it; ``wait_s``: from what happened to the end of the process."""

    status: int
    lines: list[str]
    state: str
    wait_s: float
    untouched: bool
    traceback: bool
    too_early: bool
    """Whether the signal came before the first line of the program, while the interpreter itself was starting."""
    happened: bool
    """Whether the process still ran at the moment of the fault."""
    repeated: bool | None = None
    """Whether a further run with ``--overwrite`` gave the new result, where neither result was whole."""


def run(
    task: Task,
    happen: Callable[[subprocess.Popen[bytes]], bool] = lambda process: True,
    *,
    repeat: bool = True,
    check_inputs: bool = True,
    before: Sequence[str] = (),
    finish: Callable[[], None] = lambda: None,
    put_back: Callable[[], None] = lambda: None,
    **options: object,
) -> Trial:
    """Starts the task over the old result, lets something happen, and looks at what is left; ``finish`` is called before that."""
    given = digests(task.inputs) if check_inputs else {}
    process = subprocess.Popen(  # type: ignore[call-overload]
        [*before, *task.command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
    )
    happened = happen(process)
    since = time.monotonic()
    _, err = process.communicate(timeout=LIMIT_S)
    wait_s = time.monotonic() - since
    text = err.decode("utf-8", "replace")
    finish()
    trial = Trial(
        status=process.returncode,
        lines=text.splitlines(),
        state=task.state(),
        wait_s=wait_s,
        untouched=not check_inputs or digests(task.inputs) == given,
        traceback="Traceback" in text or "Exception ignored" in text or "panicked" in text,
        too_early=process.returncode != 0 and "cryodedup" not in text and process.returncode != -signal.SIGKILL,
        happened=happened,
    )
    put_back()
    if repeat:
        trial.repeated = task.repeat(trial.state)
    return trial


def after(seconds: float, act: Callable[[subprocess.Popen[bytes]], None]) -> Callable[[subprocess.Popen[bytes]], bool]:
    """What happens at a moment, if the process still runs then."""

    def happen(process: subprocess.Popen[bytes]) -> bool:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            act(process)
            return True
        return False

    return happen


def without_rights() -> list[str]:
    """What to put before a command so that permissions hold it back even if it is root's."""
    return ["setpriv", "--inh-caps=-dac_override", "--bounding-set=-dac_override"] if os.getuid() == 0 else []

"""Faults that happen to commands: each function gives the trials of one task."""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trials import Task, Trial, after, run

Act = Callable[[subprocess.Popen[bytes]], None]


def at_moments(task: Task, count: int, moments: Callable[[], float], act: Act, **options: Any) -> list[Trial]:
    """So many trials in which something happens before the process has ended."""
    trials: list[Trial] = []
    while len(trials) < count:
        task.restore()
        trial = run(task, after(moments(), act), repeat=task.name != "demo" or len(trials) % 5 == 0, **options)
        if trial.happened:
            trials.append(trial)
    return trials


def sends(number: int) -> Act:
    return lambda process: process.send_signal(number)


def with_full_disk(task: Task, count: int) -> list[Trial]:
    """A file system of its own that has room for a growing part of what the run writes."""
    shutil.rmtree(task.out, ignore_errors=True)
    task.out.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", task.out], capture_output=True, text=True, check=False)
    if mounted.returncode:
        print(f"disk full, {task.name}: left out ({mounted.stderr.strip()})", file=sys.stderr)
        return []
    try:
        trials = []
        room = sum(task.sizes) * 1.1
        for k in range(count):
            for entry in task.out.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            _resize(task.out, 1 << 30)
            shutil.copytree(task.earlier, task.out, dirs_exist_ok=True)
            used = shutil.disk_usage(task.out).used
            _resize(task.out, used + int(room * (k + 0.5) / count))
            trials.append(run(task, repeat=False))
            _resize(task.out, 1 << 30)
            trials[-1].repeated = task.repeat(trials[-1].state)
        return trials
    finally:
        subprocess.run(["umount", task.out], check=True)


def _resize(path: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={-(-size // 4096) * 4096}", path], check=True)


def with_file_limit(task: Task, count: int) -> list[Trial]:
    """Files may be so long at most, from a small part of the longest of the result on."""
    trials = []
    for k in range(count):
        task.restore()
        limit = int(max(task.sizes) * ((k + 0.5) / count) ** 3)

        def limited(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        trials.append(run(task, preexec_fn=limited))
    return trials


def with_two(task: Task, count: int, draw: random.Random) -> list[Trial]:
    """A second run into the directory begins while one is under way."""
    trials = []
    for _ in range(count):
        task.restore()
        others: list[subprocess.Popen[bytes]] = []
        said: list[str] = []

        def second(process: object, others: list[subprocess.Popen[bytes]] = others) -> None:
            others.append(subprocess.Popen(task.rival, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))

        def finish(others: list[subprocess.Popen[bytes]] = others, said: list[str] = said) -> None:
            said.extend(other.communicate()[1].decode() for other in others)

        trial = run(task, after(draw.uniform(0, task.duration_s / 3), second), finish=finish)
        trial.traceback |= any("Traceback" in err or len(err.splitlines()) > 1 for err in said)
        trials.append(trial)
    return trials

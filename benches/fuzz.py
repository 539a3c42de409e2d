"""Damages small files of every format for a set time, and reports what is neither read nor refused with a clear message.

    python benches/fuzz.py SECONDS [--only NAME ...] [--first N] [--finds DIR]

Each file has to be refused by an error of ours, or its rows, all chosen, have to give it back; with at most 200 MB and 5 s of processor
time. What breaks this is kept in DIR with the error beside it, and the status is then 1. The files are read in a process of their own,
whose death is a find as well.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import fuzzing  # noqa: E402

MAX_KB, MAX_CPU_S, MAX_WALL_S = 200 << 10, 5.0, 120.0
MAX_DATA = 4 << 30
"""A process gets no more memory than this, so that a find does not harm the machine."""
SLOW = ("stream.cs",)
"""Read by another process first, each time: one in twenty of the others."""


@dataclass
class Tally:
    """What was found so far; of finds of one kind the first is kept."""

    directory: Path
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    finds: dict[str, Path] = field(default_factory=dict)

    def add(self, name: str, number: int, kind: str, text: str = "") -> None:
        """Counts a file that was ``read``, ``refused``, or is a ``find`` of this text."""
        self.counts[name, kind] += 1
        if kind != "find":
            return
        lines = [line.strip() for line in text.strip().splitlines()]
        raised = next((line.rpartition("/")[2] for line in reversed(lines) if line.startswith("File ")), "")
        what = f"{lines[-1].split(':')[0]} ({raised})"
        if what not in self.finds:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.finds[what] = self.directory / f"{number}_{name}"
            self.finds[what].write_bytes(fuzzing.seeds()[name].pack(damaged(name, number)))
            (self.directory / f"{number}_{name}.error").write_text(text, "utf-8", "surrogateescape")

    def show(self, names: Sequence[str]) -> None:
        """Prints a line for each format and each find."""
        for name in names:
            read, refused, finds = (self.counts[name, kind] for kind in ("read", "refused", "find"))
            print(f"{name:20} {read:8,} read {refused:8,} refused {finds:5,} finds")
        for what, path in self.finds.items():
            print(f"find: {what}: {path}")


def main() -> int:
    arguments = _arguments()
    names = arguments.only or list(fuzzing.seeds())
    tally, number, until = Tally(arguments.finds), arguments.first, time.monotonic() + arguments.seconds
    with TemporaryDirectory() as work:
        while time.monotonic() < until:
            number = _run(names, number, until, Path(work), tally)
    tally.show(names)
    print(f"{tally.counts.total():,} files in {arguments.seconds:g} s; to go on: --first {number}")
    return 1 if tally.finds else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seconds", type=float, help="Time to go on for, s.")
    parser.add_argument("--only", nargs="+", default=[], choices=list(fuzzing.seeds()), metavar="NAME", help="Which files (default: all).")
    parser.add_argument("--first", type=int, default=0, help="Number of the first damaged file: equal numbers are equal files.")
    parser.add_argument("--finds", type=Path, default=ROOT / "build" / "fuzz", help="Directory for what is found (default: build/fuzz).")
    return parser.parse_args()


def damaged(name: str, number: int) -> bytes:
    """The damaged file of a number."""
    chance = random.Random(f"{name} {number}")
    mutations = [
        (chance.randrange(1 << 16), chance.randrange(1 << 16), chance.randrange(1 << 16))
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8)))
    ]
    return fuzzing.mutated(fuzzing.seeds()[name].content, mutations)


def _run(names: Sequence[str], first: int, until: float, work: Path, tally: Tally) -> int:
    """Goes on in a new process, until the time is over or that process dies; returns the next number."""
    context = multiprocessing.get_context("spawn")
    current: Any = context.Value("q", first)
    reports, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(names, until, work, current, sender))
    process.start()
    sender.close()
    try:
        while reports.poll(MAX_WALL_S):
            tally.add(*reports.recv())
        fault = f"no end after {MAX_WALL_S:g} s"
    except EOFError:
        process.join()
        fault = f"status {process.exitcode}" if process.exitcode else ""
    process.kill()
    process.join()
    number = int(current.value)
    if fault:
        tally.add(names[number % len(names)], number, "find", f"the process of a {names[number % len(names)]} ended with {fault}")
    return number + 1


def _work(names: Sequence[str], until: float, work: Path, current: Any, reports: Connection) -> None:
    """Checks the file of each number from ``current`` on."""
    seeds = fuzzing.seeds()
    for name in names:  # imports, and what else is done once, are no cost of a damaged file
        assert fuzzing.check(seeds[name], fuzzing.place_of(seeds[name], seeds[name].content, work / "case")), name
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA, MAX_DATA))
    while time.monotonic() < until:
        number = current.value
        name = names[number % len(names)]
        if name not in SLOW or number // len(names) % 20 == 0:
            path = fuzzing.place_of(seeds[name], damaged(name, number), work / "case")
            reports.send((name, number, *_outcome(seeds[name], path)))
        current.value += 1


def _outcome(seed: fuzzing.Seed, path: Path) -> tuple[str, str]:
    """``read``, ``refused`` or ``find``, with its text."""
    Path("/proc/self/clear_refs").write_text("5")  # the highest memory is that from here on
    before_kb, started = _memory_kb("VmRSS"), time.process_time()
    try:
        kind = "read" if fuzzing.check(seed, path) else "refused"
    except BaseException:  # a panic of the core is no Exception
        return "find", traceback.format_exc()
    taken_s, taken_kb = time.process_time() - started, _memory_kb("VmHWM") - before_kb
    if taken_s > MAX_CPU_S:
        return "find", f"a {seed.name} took long: {taken_s:.1f} s"
    if taken_kb > MAX_KB:
        return "find", f"a {seed.name} took much: {taken_kb >> 10} MB"
    return kind, ""


def _memory_kb(what: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0])


if __name__ == "__main__":
    sys.exit(main())

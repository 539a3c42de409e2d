"""What is left when something goes wrong: the table of docs/faults.md.

python benches/faults.py --trials 50 > faults.md

Every trial starts a command that is to replace an earlier result, and lets something happen to it at a random moment. Rows that need a file
system of their own are left out, with a line on standard error, where the system does not let this program mount one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from trial_faults import at_moments, sends, with_file_limit, with_full_disk, with_two
from trials import COMMAND, StageTask, Task, Trial, WatchTask, contents, run, without_rights

COPIES = 40
"""Times that the picks of the demo are repeated, under other names of micrographs."""
YEAR_S = 365 * 86400

HEAD = """\
# When something goes wrong

Made by `just faults`: each trial starts a command with `--overwrite` over an earlier result, with its page, and lets the fault happen at
a random moment. Afterwards the inputs have to be what they were, and the directory has to hold one of these:

* **new**: the new result, whole, the same bytes as in a run without a fault (except for the times in `summary.json`);
  where an input changes, also that of a run after the change: an image that cannot be read any more is named and left out,
* **old**: the earlier result, byte for byte,
* **unfinished**: a directory without a `summary.json` (`demo`: with an `UNFINISHED.txt`), from which a further run with
  `--overwrite` makes the new result. The numbers in brackets, 3 of 4: in four trials the command was run again, and three of these runs
  gave the new result. (A trial with one of the stages goes on in any case, from this stage to the last.) `watch` has no earlier result;
  here *unfinished* means that only the first events are there. Which pairs it reports is compared, not their numbers.

*Two runs at once*: while the command runs, the command that made the earlier result is started in the same directory. For `watch` and for a
stage, the same command is started twice; the second `watch` is refused.

Anything else is a **mixture**: a directory that looks whole and is not. *Traceback* counts runs that printed one, or more than one
line of error. *Before the program* counts signals that came while the Python interpreter itself was starting, before the first line of
cryodedup: what is printed then, and the exit status (-2, -15, or 1 for Ctrl-C), are Python's. *Longest wait*: from the signal to the end of
the process.
The wait after kill -9, which no program can delay, shows how busy the machine was. Trials in which the process had ended before the
moment are not counted.

All files are on the disk before the first of them is moved into place, so that this holds for a failure of the power, too (on file
systems that keep their word).

Random moments seldom hit the few milliseconds in which files are moved into place. The tests kill a run before each of these moves
(`tests/test_outputs.py`), and send signals at named steps, imports included (`tests/test_faults.py`).

"""
SHARDS = 2
"""Of the stages prepare and compare."""
SENT = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}
SIGNALS = (*SENT, "SIGTERM in the first 0.2 s", "Ctrl-C in the first 0.2 s")
COLUMNS = [
    "fault",
    "command",
    "trials",
    "new",
    "old",
    "unfinished",
    "mixture",
    "inputs changed",
    "traceback",
    "before the program",
    "exit status",
    "longest wait",
]


def write_picks(source: Path, path: Path, copies: int = COPIES) -> None:
    lines = source.read_text().splitlines(keepends=True)
    rows = [line for line in lines if "hole_" in line]
    head = lines[: lines.index(rows[0])]
    path.write_text("".join([*head, *(row.replace("hole_", f"{copy:02d}_hole_") for copy in range(copies) for row in rows)]))


def tasks(work: Path, names: list[str]) -> dict[str, Task]:
    subprocess.run([*COMMAND, "demo", "-o", work / "inputs"], check=True, capture_output=True)
    session = work / "inputs" / "session"
    picks = session / "many.star"
    write_picks(session / "relion.star", picks)
    images = [str(session / "micrographs.star"), "--bin", "4"]
    out = {name: work / name for name in ("particles", "micrographs", "apply", "demo")}
    chosen, stricter = str(work / "inputs" / "refined"), work / "stricter"
    make_stricter = ["particles", session / "refined.star", "--min-separation", "60", "-o", stricter]
    subprocess.run([*COMMAND, *make_stricter], check=True, capture_output=True)
    read = [session / "many.star", session / "micrographs.star", session / "refined.star", *sorted((session / "Micrographs").iterdir())]
    words = {
        "particles": (["particles", str(picks), "--min-separation", "40"], ["particles", str(picks), "--min-separation", "70"]),
        "micrographs": (["micrographs", *images, "--min-overlap", "0.9"], ["micrographs", *images]),
        "apply": (["apply", chosen, str(session / "refined.star")], ["apply", str(stricter), str(session / "refined.star")]),
        "demo": (["demo", "--seed", "2"], ["demo", "--seed", "1"]),
    }
    made = {
        name: Task(name, [*old, "-o", str(out[name])], [*new, "-o", str(out[name])], read, out[name])
        for name, (old, new) in words.items()
        if name in names
    }
    if "watch" in names:
        watch = ["watch", str(session / "Micrographs"), "--bin", "4", "--poll", "0.05", "--settle", "0", "--idle", "0", "--quiet"]
        made["watch"] = WatchTask("watch", [], [*watch, "-o", str(work / "watch")], read, work / "watch")
    for task in made.values():
        task.prepare()
        print(f"{task.name}: {task.duration_s:.1f} s, {sum(task.sizes):,} bytes", file=sys.stderr, flush=True)
    return made


def row(fault: str, task: Task, trials: list[Trial], name: str = "") -> str:
    states = Counter(trial.state for trial in trials)
    statuses = Counter(trial.status for trial in trials)
    repeated = [trial.repeated for trial in trials if trial.repeated is not None]
    unfinished = f"{states['unfinished']}" + (f" ({sum(repeated)} of {len(repeated)})" if repeated else "")
    early = sum(trial.too_early for trial in trials)
    noisy = sum(not trial.too_early and (trial.traceback or (trial.status > 0 and len(trial.lines) > 1)) for trial in trials)
    cells = [
        fault,
        f"`{name or task.name}`",
        len(trials),
        states["new"] + states["changed"],
        states["old"],
        unfinished,
        states["mixture"],
        sum(not trial.untouched for trial in trials),
        noisy,
        early,
        ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items())),
        f"{max(trial.wait_s for trial in trials):.2f} s" if fault in SIGNALS else "",
    ]
    for trial in trials:
        bad = trial.state == "mixture" or not trial.untouched or (trial.traceback and not trial.too_early) or trial.repeated is False
        if bad or (trial.status > 0 and len(trial.lines) != 1 and not trial.too_early):
            print(
                f"{fault}, {task.name}: {trial.state}, status {trial.status}, repeated {trial.repeated}",
                *trial.lines[-12:],
                sep="\n    ",
                file=sys.stderr,
            )
    return f"| {' | '.join(map(str, cells))} |"


def of_signals(task: Task, count: int, draw: random.Random) -> Iterator[str]:
    for name, number in SENT.items():
        yield row(name, task, at_moments(task, count, lambda: draw.uniform(0, task.duration_s), sends(number)))


def of_starting(task: Task, count: int, draw: random.Random) -> Iterator[str]:
    for name, number in (("SIGTERM in the first 0.2 s", signal.SIGTERM), ("Ctrl-C in the first 0.2 s", signal.SIGINT)):
        yield row(name, task, at_moments(task, count, lambda: draw.uniform(0, 0.2), sends(number)))


def of_stages(task: Task, count: int, few: int, draw: random.Random) -> Iterator[str]:
    """The stages of a job, each hit by a signal as often as it is long."""
    stages = StageTask.all_of(task, SHARDS)
    durations = [stage.duration_s for stage in stages]
    name, each = f"{task.name} --stage", -(-few // len(stages))
    for fault, number in SENT.items():
        trials = []
        for stage in draw.choices(stages, durations, k=count):
            trials += at_moments(stage, 1, lambda stage=stage: draw.uniform(0, stage.duration_s), sends(number))  # type: ignore[misc]
        yield row(fault, task, trials, name)
    for fault, make in (("disk full", with_full_disk), ("largest file limited (`ulimit -f`)", with_file_limit)):
        if trials := [trial for stage in stages for trial in make(stage, each)]:
            yield row(fault, task, trials, name)
    yield row("two runs at once", task, [trial for stage in stages for trial in with_two(stage, each, draw)], name)


def of_full_disk(task: Task, count: int) -> Iterator[str]:
    """Yields nothing if no file system can be mounted."""
    if trials := with_full_disk(task, count):
        yield row("disk full", task, trials)


def of_file_limit(task: Task, count: int) -> Iterator[str]:
    yield row("largest file limited (`ulimit -f`)", task, with_file_limit(task, count))


def of_unwritable(task: Task) -> Iterator[str]:
    task.restore()
    for path in [task.out, *task.out.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield row("directory that may not be written", task, [run(task, before=without_rights())])
    for path in [task.out, *task.out.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def of_inputs(task: Task, path: Path, count: int, draw: random.Random) -> Iterator[str]:
    """What happens to one of the inputs, which is put back after each trial."""
    saved = path.with_name(f"{path.name}.saved")
    shutil.copy2(path, saved)

    def grow(process: object) -> None:
        with path.open("ab") as file:
            file.write(saved.read_bytes()[-5000:])

    changes: dict[str, Callable[[object], None]] = {
        "input that vanishes": lambda process: path.unlink(),
        "input that grows": grow,
        "input that shrinks": lambda process: os.truncate(path, path.stat().st_size // 2),
    }

    def put_back() -> None:
        shutil.copy2(saved, path)

    for name, change in changes.items():
        if task.name == "micrographs":
            task.left_out = (path.name, _result_after(task, changes["input that shrinks"], put_back))
        task.results["changed"] = _result_after(task, change, put_back)
        trials = at_moments(task, count, lambda: draw.uniform(0, task.duration_s), change, check_inputs=False, put_back=put_back)
        yield row(name, task, trials)
        del task.results["changed"]
    task.left_out = None
    saved.unlink()


def _result_after(task: Task, change: Callable[[object], None], put_back: Callable[[], None]) -> dict[str, str]:
    """The result of a run after the change; empty if that is refused."""
    task.restore()
    change(None)
    trial = run(task, repeat=False, check_inputs=False)
    put_back()
    return contents(task.out) if trial.status == 0 else {}


def of_two(task: Task, count: int, draw: random.Random) -> Iterator[str]:
    yield row("two runs at once", task, with_two(task, count, draw))


def of_clock(task: Task) -> Iterator[str]:
    """The clock goes back by a year after the inputs and the old result were written."""
    future = time.time() + YEAR_S
    task.restore()
    places = [*task.inputs, task.out, *task.out.rglob("*")]
    times = {path: path.stat().st_mtime for path in task.inputs}
    for path in places:
        os.utime(path, (future, future))
    yield row("clock that goes back", task, [run(task)])
    for path, then in times.items():
        os.utime(path, (then, then))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--only", default="", help="kinds of rows, with commas between them (default: all)")
    parser.add_argument("--tasks", default="particles,micrographs,apply,demo,watch")
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it would be ignored, by the commands as well
    draw, few = random.Random(1), max(1, args.trials * 2 // 5)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        found = tasks(Path(directory), args.tasks.split(","))
        session = Path(directory) / "inputs" / "session"
        changed = {
            "particles": session / "many.star",
            "micrographs": sorted((session / "Micrographs").iterdir())[7],
            "apply": session / "refined.star",
        }
        print(HEAD + f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
        replacing = ("particles", "micrographs", "apply", "demo")
        makers: dict[str, tuple[Callable[[Task], Iterator[str]], Sequence[str]]] = {
            "signals": (lambda task: of_signals(task, args.trials, draw), (*replacing, "watch")),
            "stages": (lambda task: of_stages(task, args.trials, few, draw), ("micrographs",)),
            "starting": (lambda task: of_starting(task, args.trials, draw), ("particles",)),
            "full_disk": (lambda task: of_full_disk(task, few), (*replacing, "watch")),
            "file_limit": (lambda task: of_file_limit(task, few), (*replacing, "watch")),
            "unwritable": (of_unwritable, replacing),
            "inputs": (lambda task: of_inputs(task, changed[task.name], few, draw), tuple(changed)),
            "two": (lambda task: of_two(task, few, draw), (*changed, "watch")),
            "clock": (of_clock, replacing),
        }
        for name, (make, names) in makers.items():
            for task in found.values() if name in (args.only or name).split(",") else []:
                for line in make(task) if task.name in names else []:
                    print(line, flush=True)


if __name__ == "__main__":
    main()

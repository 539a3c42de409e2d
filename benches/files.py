"""Whole commands on large files, in turn with what they are compared to, so that a machine that drifts drifts for both.

    python benches/files.py [--rows 1000000] [--records 5000000] [--repeats 5] [--settle 6] [--directory /tmp]

Needs the extra [test], 10 GB of disk and, for the slow peers, some minutes. Prints medians, ratios and peak memory (largest resident size).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def run(command):
    """Seconds, processor seconds and peak memory in MB of a finished command; the processors' are those to compare on a busy machine."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} failed")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(title, commands, outputs, repeats, settle_s):
    """The first command against the others, a round of all of them at a time."""
    found = {name: [] for name in commands}
    for _ in range(repeats):
        for name, (command, times) in commands.items():
            for path in outputs:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            if len(found[name]) < times:
                # A virtual machine gives freed memory back to its host after some seconds: who starts at once would find it warm.
                os.sync()
                time.sleep(settle_s)
                found[name].append(run(command))
    print(title)
    reference = None
    for name, results in found.items():
        seconds, _, memory = (statistics.median(values) for values in zip(*results, strict=True))
        reference = reference or seconds
        print(f"  {name:44} {seconds:7.2f} s {memory:7.0f} MB   {seconds / reference:6.2f} x")


def make(kind, rows, path):
    """In a process of its own: a child's peak memory is never below what its parent had."""
    subprocess.run([sys.executable, HERE / "session.py", kind, str(rows), path], check=True)


def to_disk(source, copy):
    """A copy that waits until it is on the disk, as a run waits for what it writes."""
    return ["dd", f"if={source}", f"of={copy}", "bs=1M", "conv=fsync", "status=none"]


def kept_rows(path):
    with path.open("rb") as file:
        return sum(b"@" in line for line in file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--records", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--settle", type=float, default=6, help="seconds of rest before each command")
    parser.add_argument("--directory", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.directory) as name:
        place = Path(name)
        star, cs = place / "big.star", place / "big.cs"
        out, copy, theirs = place / "out", place / "copy", place / "theirs.star"
        outputs = [out, copy, theirs]
        cryodedup = [Path(sys.executable).with_name("cryodedup"), "particles", "--no-report"]
        make("star", args.rows, star)
        compare(
            f"{args.rows} rows, {star.stat().st_size / 1e6:.0f} MB STAR",
            {
                "cryodedup particles": ([*cryodedup, star, "-o", out], args.repeats),
                "with its page": ([*cryodedup[:-1], star, "-o", out], args.repeats),
                "cp": (["cp", star, copy], args.repeats),
                "dd conv=fsync": (to_disk(star, copy), args.repeats),
                "awk '{n+=NF}'": (["awk", "{n+=NF}", star], args.repeats),
                "original lines + cKDTree": ([sys.executable, HERE / "peers.py", "lines", star, theirs], min(3, args.repeats)),
                "starfile + cKDTree": ([sys.executable, HERE / "peers.py", "starfile", star, theirs], 1),
            },
            outputs,
            args.repeats,
            args.settle,
        )
        run([*cryodedup, star, "-o", out])
        run([sys.executable, HERE / "peers.py", "lines", star, theirs])
        assert kept_rows(out / "particles_kept.star") == kept_rows(theirs), "the sides do not agree"
        star.unlink()
        make("cs", args.records, cs)
        compare(
            f"{args.records} records, {cs.stat().st_size / 1e6:.0f} MB .cs",
            {
                "cryodedup particles": ([*cryodedup, cs, "-o", out], args.repeats),
                "cp": (["cp", cs, copy], args.repeats),
                "dd conv=fsync": (to_disk(cs, copy), args.repeats),
            },
            outputs,
            args.repeats,
            args.settle,
        )
        run([*cryodedup, cs, "-o", out])
        kept, rejected = (np.load(out / f"particles_{side}.cs", mmap_mode="r") for side in ("kept", "rejected"))
        assert len(kept) + len(rejected) == args.records


if __name__ == "__main__":
    main()

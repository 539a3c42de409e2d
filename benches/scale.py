"""Particles at size: time a row and memory a particle from 1 to 10 million, many files against one, and an expansion undone.

    python benches/scale.py sizes star 1000000 3000000 10000000 [--repeats 3] [--directory /tmp]
    python benches/scale.py sizes cs 1000000 3000000 10000000
    python benches/scale.py files 1000 --rows 1000000 [--shared 10]
    python benches/scale.py picks 1000
    python benches/scale.py expansion 100000 60

Each makes its files (10 million rows: 5 GB, and as much for the results), runs the commands in turn, and prints medians. Results go into a
new directory each time, and are removed at the end: ext4 takes milliseconds to make a file where many were just removed.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from files import HERE, make, run

FEW = 1000
COMMAND = [Path(sys.executable).with_name("cryodedup"), "particles", "--quiet"]


class Bench:
    """Runs commands in turn, each with a result directory of its own."""

    def __init__(self, place, repeats):
        self.place, self.repeats = place, repeats
        self.results = place / "results"

    def measure(self, commands):
        """For each command the medians of seconds, of processor seconds, and of peak memory, MB."""
        found = {name: [] for name in commands}
        for turn in range(self.repeats):
            for name, words in commands.items():
                self.results.mkdir(exist_ok=True)
                found[name].append(run([*COMMAND, *words, "-o", self.results / f"{turn} {name}".replace("/", "_")]))
                if sum(path.stat().st_size for path in self.results.rglob("*") if path.is_file()) > 1e9:
                    shutil.rmtree(self.results)
        shutil.rmtree(self.results, ignore_errors=True)
        return {name: tuple(map(statistics.median, zip(*values, strict=True))) for name, values in found.items()}

    def sizes(self, kind, counts):
        """Time a row and memory a particle, one size after the other: the largest may not fit on the disk beside the others."""
        few = self.place / f"few.{kind}"
        make(kind, FEW, few)
        for rows in counts:
            path = self.place / f"rows.{kind}"
            make(kind, rows, path)
            report, plain = f"{rows:,} rows with the page", f"{rows:,} rows"
            found = self.measure({"few": ["--no-report", few], plain: ["--no-report", path], "few+": [few], report: [path]})
            for name, base in ((plain, "few"), (report, "few+")):
                seconds, busy, memory = found[name]
                each = of_each(seconds, busy, memory - found[base][2], rows)
                print(f"{kind} {name:32} {seconds:7.2f} s {memory:7.0f} MB  {each}", flush=True)
            path.unlink()

    def against(self, title, commands):
        """The first command against the others."""
        found = self.measure(commands)
        print(title)
        reference, reference_busy, _ = next(iter(found.values()))
        for name, (seconds, busy, memory) in found.items():
            ratios = f"{seconds / reference:6.2f} x, processors {busy:6.2f} s {busy / reference_busy:6.2f} x"
            print(f"  {name:32} {memory:7.0f} MB {seconds:7.2f} s {ratios}")

    def files(self, count, rows, shared):
        """``shared``: so many files have each micrograph."""
        one, many = self.place / "one.star", self.place / "many"
        make("star", rows, one)
        make_many("stars", count, one, many, "--shared", shared)
        commands = {"one file": [one], f"{count:,} files": sorted(many.iterdir())}
        self.against(f"{rows:,} rows in {count:,} STAR files", {name: ["--no-report", *paths] for name, paths in commands.items()})

    def picks(self, count):
        place = self.place / "picks"
        make_many("picks", count, 1000, place)
        size = ["--no-report", "--pixel-size", "1"]
        kinds = {"one STAR file": [place / "all.star"], "a folder of .box": [place / "box"], "a folder of .star": [place / "star"]}
        kinds["all .box, named one by one"] = sorted((place / "box").iterdir())
        self.against(f"1,000 picks in each of {count:,} micrographs", {name: [*size, *paths] for name, paths in kinds.items()})

    def expansion(self, particles, copies):
        stem = self.place / "expanded"
        make_many("expanded", particles, copies, stem)
        options = ["--no-report", "--undo-symmetry-expansion"]
        few = self.place / "few.star"
        make("star", FEW, few)
        commands = {"few": [*options, few], **{kind: [*options, stem.with_suffix(f".{kind}")] for kind in ("star", "cs")}}
        found = self.measure(commands)
        for kind in ("star", "cs"):
            seconds, busy, memory = found[kind]
            each = of_each(seconds, busy, memory - found["few"][2], particles * copies)
            print(f"{kind:4} {particles:,} x {copies}: {seconds:.2f} s, {memory:.0f} MB, {each}")


def of_each(seconds, busy, memory, rows):
    times = f"{seconds / rows * 1e6:.2f} us a row, processors {busy / rows * 1e6:.2f} us a row"
    return f"{times}, {memory * 2**20 / rows:.0f} bytes a particle"


def make_many(*words):
    subprocess.run([sys.executable, HERE / "many.py", *map(str, words)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--repeats", type=int, default=3)
    common.add_argument("--directory", type=Path)
    jobs = parser.add_subparsers(dest="job", required=True)
    sizes = jobs.add_parser("sizes", parents=[common])
    sizes.add_argument("kind", choices=["star", "cs"])
    sizes.add_argument("rows", type=int, nargs="+")
    files = jobs.add_parser("files", parents=[common])
    files.add_argument("count", type=int)
    files.add_argument("--rows", type=int, default=1_000_000)
    files.add_argument("--shared", type=int, default=1)
    jobs.add_parser("picks", parents=[common]).add_argument("count", type=int)
    expansion = jobs.add_parser("expansion", parents=[common])
    expansion.add_argument("particles", type=int)
    expansion.add_argument("copies", type=int)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.directory) as name:
        bench = Bench(Path(name), args.repeats)
        if args.job == "sizes":
            bench.sizes(args.kind, args.rows)
        elif args.job == "files":
            bench.files(args.count, args.rows, args.shared)
        elif args.job == "picks":
            bench.picks(args.count)
        else:
            bench.expansion(args.particles, args.copies)


if __name__ == "__main__":
    main()

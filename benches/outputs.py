"""The outputs of a fixed set of runs, recorded and compared byte for byte: what a change of the structure must not change.

    python benches/outputs.py record WORK before [--command PATH/cryodedup] [--data ../shared/data]
    python benches/outputs.py compare WORK before after

`record` makes the input once (WORK/inputs: the demo's session, simulated micrographs, a link to the real files of `--data`), runs every
option of `particles`, `micrographs` and `apply` once, and keeps what was written in WORK/<name>. `compare` lists the files that differ.
Pages and figures are not compared, nor what names the time, the machine or the version.
"""

import argparse
import difflib
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

DEMO = "demo/session"
SPP, EM, CS = "data/real/sppractice", "data/real/em-testdata", "data/derived_cs"
REAL = "data/real"
TWO = f"{DEMO}/relion.star {DEMO}/cryosparc.cs"
PAIR = (
    f"{SPP}/Class2D/job010/run_it025_data.star {CS}/J10_em_testdata_particles.csg --micrographs {SPP}/CtfFind/job005/micrographs_ctf.star"
)
PARTICLES = [
    f"{TWO}",
    f"{TWO} --min-separation 60",
    f"{TWO} --min-separation 60 --priority input",
    f"{TWO} --min-separation 60 --normalize-scores none",
    f"{TWO} --min-separation 60 --normalize-scores rank --threads 1",
    f"{TWO} --min-separation 60 --score-field none --seed 7",
    f"{TWO} --min-separation 60 --min-votes 2",
    f"{TWO} --min-separation 60 --min-votes 2 --votes-where all",
    f"{TWO} --min-separation 60 --match name",
    f"{TWO} --min-separation 60 --match path",
    f"{TWO} --min-separation 60 --remove-entirely",
    f"{TWO} --min-separation 0",
    f"{TWO} --min-separation 60 --micrographs {DEMO}/micrographs.star",
    f"{TWO} --min-separation 60 --flip-y",
    f"{DEMO}/relion.star --min-separation 60 --pixel-size 3.3 --pixel-size-override",
    f"{DEMO}/refined.star --min-separation 40",
    f"{DEMO}/refined.star --min-separation 40 --half-sets repair",
    f"{DEMO}/refined.star --min-separation 40 --shift-key none",
    f"{DEMO}/refined.star --min-separation 40 --shift-key alignments3D --score-field rlnAutopickFigureOfMerit --score-order lower",
    f"{DEMO}/refined.star --min-separation 0 --half-sets audit",
    f"{DEMO}/refined.star --undo-symmetry-expansion",
    f"{DEMO}/refined.star --min-separation 1000",
    f"{SPP}/Extract/job009/particles.star --min-separation 80",
    f"{SPP}/Class2D/job010/run_it025_data.star --min-separation 80",
    f"{SPP}/AutoPick/job008/autopick.star --pixel-size 0.885 --min-separation 80",
    f"{SPP}/ManualPick/job006/manualpick.star {SPP}/AutoPick/job008/autopick.star --pixel-size 0.885 --min-separation 80 --priority input",
    f"{CS}/J20_sppractice_particles.csg --min-separation 80",
    f"{CS}/J10_em_testdata_particles.cs {CS}/J10_em_testdata_passthrough_particles.cs --min-separation 80",
    f"{CS}/J10_em_testdata_particles_csdat.cs {CS}/J10_em_testdata_passthrough_particles.cs --min-separation 80",
    f"{PAIR} --min-separation 80",
    f"{PAIR} --min-separation 80 --remove-entirely",
    f"{PAIR} --min-separation 80 --min-votes 2",
    f"{EM}/run_it025_data.star {CS}/J10_em_testdata_particles.csg --min-separation 80",
    f"{REAL}/boxmanager/TcdA1-0018_frames_sum.cbox {REAL}/boxmanager/TcdA1-0019_frames_sum.cbox --pixel-size 1.14 --min-separation 100",
    f"{REAL}/boxmanager/2d_left.box --pixel-size 1.14 --min-separation 100",
    f"{REAL}/cryodrgn/relion31.6opticsgroups.star --min-separation 100",
    f"{REAL}/cryodrgn/relion31.6opticsgroups.star {REAL}/cryodrgn/relion31.star --min-separation 100",
    f"{REAL}/cryodrgn/FinalRefinement-OriginalParticles-PfCRT.star --min-separation 100",
    f"{REAL}/cylindra/Refine3D_job_refine_run_it050_data.star --min-separation 50",
    f"{REAL}/cylindra/Picks_job_picks_particles.star --min-separation 50 --micrographs {REAL}/cylindra/Tomograms_job_tomo_tomograms.star",
    f"{REAL}/czi/stopgap_star.star --min-separation 50",
    f"{REAL}/czi/relion_4_star.star --min-separation 50",
    f"{REAL}/aspire/sample_particles_relion31.star --min-separation 50",
    f"{TWO} --min-separation 60 --dry-run",
    f"{TWO} --min-separation 60 --advise",
    f"{DEMO}/refined.star --advise --json",
]
MICROGRAPHS = [
    f"{DEMO}/micrographs.star --bin 4",
    f"{DEMO}/Micrographs --bin 4",
    f"{DEMO}/micrographs.star --bin 4 --search window --images-per-move 3 --images-per-hole 3 --scan-range 30",
    f"{DEMO}/micrographs.star --bin 4 --threshold 0.2",
    f"{DEMO}/micrographs.star --bin 4 --fdr 0.2 --min-overlap 0.3 --order name",
    f"{DEMO}/micrographs.star --bin 4 --order input --max-shift 200 --threads 1",
    f"{DEMO}/micrographs.star --bin 4 --order natural --highpass 0.03 --lowpass 0.3,0.05",
    f"{DEMO}/micrographs.star --bin 4 --search-angle 2",
    f"{DEMO}/micrographs.star --bin 4 --self-test",
    f"{DEMO}/micrographs.star --bin 4 --max-removed 0.05",
    f"{DEMO}/micrographs.star --bin 4 --max-set 1",
    "plain --bin 1 --sensitivity full",
    "plain --bin 1 --sensitivity fast",
    "plain --bin 2 --resume",
    "flakes --bin 1",
    "crystals --bin 1",
    "halves --bin 1",
    "copies --bin 1 --fdr 0.05",
    "tilted --bin 1",
    "tilted --bin 1 --tilt-axis 90",
    "failed --bin 1",
    f"'{SPP}/mosaic/*.mrc'",
]
APPLY = [
    (f"{DEMO}/refined.star --min-separation 40", f"{DEMO}/refined.star"),
    (f"{TWO} --min-separation 60", f"{DEMO}/relion.star --match name"),
    (f"{TWO} --min-separation 60", f"{DEMO}/cryosparc.cs --dry-run"),
]
SESSIONS = {
    "plain": "plain",
    "flakes": "flakes",
    "crystals": "crystals",
    "halves": "even and odd",
    "copies": "exact copies",
    "tilted": "second visit tilted 20",
    "failed": "triples and flats",
}
CHANGING = ("times_s", "cryodedup", "forecast", "peak_memory_gb", "outputs")


def prepare(inputs: Path, command: str, data: Path) -> None:
    from simulate.kinds import KINDS
    from simulate.session import make

    inputs.mkdir(parents=True)
    subprocess.run([command, "demo", "-o", inputs / "demo"], check=True, capture_output=True)
    for number, (name, kind) in enumerate(SESSIONS.items()):
        make(inputs / name, KINDS[kind], seed=11 + number)
    if data.exists():
        (inputs / "data").symlink_to(data.resolve())


def commands() -> list[tuple[str, list[list[str]]]]:
    """Name of each run, and its commands; the last but none writes into ``OUT``."""
    runs: list[tuple[str, list[list[str]]]] = []
    for kind, lines in (("particles", PARTICLES), ("micrographs", MICROGRAPHS)):
        runs += [(f"{kind}-{i:02}", [[kind, *shlex.split(line)]]) for i, line in enumerate(lines)]
    for i, (first, second) in enumerate(APPLY):
        runs.append((f"apply-{i:02}", [["particles", *shlex.split(first)], ["apply", "BEFORE", *shlex.split(second)]]))
    unique = ["micrographs", f"{DEMO}/micrographs.star", "--bin", "4"]
    runs.append(("apply-micrographs", [unique, ["apply", "BEFORE", f"{DEMO}/refined.star"]]))
    return runs


def record(work: Path, name: str, command: str, data: Path) -> None:
    inputs, outputs = work / "inputs", work / name
    if not inputs.exists():
        prepare(inputs, command, data)
    if outputs.exists():
        shutil.rmtree(outputs)
    for run, steps in commands():
        if any("data/" in word for step in steps for word in step) and not (inputs / "data").exists():
            print(f"{run}: skipped, needs the real files of --data")
            continue
        before = outputs / run / "before"
        for k, step in enumerate(steps):
            target = outputs / run / "out" if k == len(steps) - 1 else before
            words = [str(before) if word == "BEFORE" else word for word in step]
            writes = not {"--dry-run", "--advise"} & set(words)
            page = [] if words[0] == "apply" or run.endswith("00") else ["--no-report"]
            target.mkdir(parents=True)
            line = [command, *words, *(["-o", str(target), *page] if writes else [])]
            done = subprocess.run(line, cwd=inputs, capture_output=True, text=True, check=False)
        (outputs / run / "status").write_text(f"{shlex.join(steps[-1])}\nexit {done.returncode}\n")
        for stream, text in (("stdout", done.stdout), ("stderr", done.stderr)):
            hidden = text.replace(str(outputs), "WORK").replace(str(work), "WORK")
            (outputs / run / stream).write_text(hidden)
        print(f"{run}: exit {done.returncode}  {shlex.join(steps[-1])}", flush=True)


def content(path: Path, root: str) -> bytes:
    """What is compared of a file."""
    raw = path.read_bytes().replace(root.encode(), b"WORK")
    if path.name == "stdout" and raw.startswith(b"{"):
        return _without_changing(raw)
    return _without_changing(raw) if path.name == "summary.json" else raw


def _without_changing(raw: bytes) -> bytes:
    summary = json.loads(raw)
    return json.dumps({key: value for key, value in summary.items() if key not in CHANGING}, indent=1).encode()


def kept_files(root: Path) -> dict[str, Path]:
    """What is compared: neither pages nor the cache of prepared images, whose order is that of the threads."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): path
        for path in found
        if path.name not in ("report.html", "stderr") and "figures" not in path.parts and "cache" not in path.name
    }


def compare(work: Path, first: str, second: str, *, words: bool) -> int:
    one, two = kept_files(work / first), kept_files(work / second)
    differing = 0
    for name in sorted(one.keys() | two.keys()):
        if name not in one or name not in two:
            print(f"{name}: only in {first if name in one else second}")
            differing += 1
            continue
        texts = content(one[name], str(work / first)), content(two[name], str(work / second))
        if texts[0] == texts[1] or (name.endswith("stdout") and not words):
            continue
        differing += 1
        print(f"{name}: differs")
        lines = [text.decode("utf-8", "replace").splitlines() for text in texts]
        for line in list(difflib.unified_diff(*lines, lineterm="", n=0))[2:14]:
            print(f"    {line[:200]}")
    print(f"{len(one)} files of {first}, {len(two)} of {second}: {differing} differ")
    return int(differing > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=["record", "compare"])
    parser.add_argument("work", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--command", default=str(Path(sys.executable).parent / "cryodedup"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--words", action="store_true", help="compare what is printed, too")
    args = parser.parse_args()
    if args.job == "record":
        record(args.work.resolve(), args.names[0], args.command, args.data)
        return 0
    return compare(args.work.resolve(), *args.names, words=args.words)


if __name__ == "__main__":
    sys.exit(main())

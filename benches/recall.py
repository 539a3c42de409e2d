"""What the search finds in simulated sessions of every kind, and what it invents.

`python benches/recall.py [--kinds K,K] [--seeds 1,2,3] [--shots 4,1] [--out FILE]` makes each session (see `simulate/kinds.py`), with and
without duplicates, runs the whole job with its default parameters, and appends a line of JSON for each; `--thresholds` adds what a plain
threshold of ccc finds over all pairs, as microduplicate_screener decides. `--table FILE...` prints the table of such lines. `SESSION...`
are folders with `micrographs.star` and `pairs.csv` (name_i, name_j, overlap, dx, dy), scored in the same way.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from simulate.kinds import ANGLES, KINDS
from simulate.session import Truth, make

from cryodedup import MicrographParams, find_duplicate_micrographs

BANDS = ((0.5, 1.01), (0.3, 0.5), (0.0, 0.3))
THRESHOLDS = (0.15, 0.2, 0.3)


def score(truth: Truth, result: Any, least_ccc: float = -1.0) -> dict[str, Any]:
    """Counts of one run: what there is and what was found by overlap, false pairs, frames lost, errors of the shift in reduced pixels."""
    of = {other: name for name, others in truth.versions.items() for other in others}
    names = [Path(name).name.removesuffix(".mrc") for name in result.names]
    mains = [of.get(name, name) for name in names]
    found = {tuple(sorted((mains[pair.first], mains[pair.second]))): pair for pair in result.pairs if pair.ccc >= least_ccc}
    found = {names: pair for names, pair in found.items() if names[0] != names[1]}
    true = {tuple(sorted(pair)): value for pair, value in truth.pairs.items()}
    out: dict[str, Any] = {"there": [0, 0, 0], "found": [0, 0, 0], "errors": [], "missed": []}
    for pair, (share, move) in true.items():
        band = next(k for k, (low, high) in enumerate(BANDS) if low <= share < high)
        out["there"][band] += 1
        if pair in found:
            out["found"][band] += 1
            first = next(name for name in truth.pairs if tuple(sorted(name)) == pair)[0]
            sign = 1 if mains[found[pair].first] == first else -1
            shift = found[pair].shift_px
            out["errors"].append(round(max(abs(sign * shift[k] - move[k]) for k in (0, 1)) / result.params.bin, 2))
        else:
            out["missed"].append(round(share, 2))
    out["false"] = len(found.keys() - true.keys())
    out["false_pairs"] = [
        (*pair, round(found[pair].z, 1), [round(x) for x in found[pair].shift_px], f"{found[pair].q:.0e}", found[pair].pattern)
        for pair in sorted(found.keys() - true.keys())[:12]
    ]
    partners = defaultdict(set)
    for a, b in true:
        partners[a].add(b)
        partners[b].add(a)
    kept = {mains[k] for k in range(len(names)) if result.kept[k]}
    out["lost"] = sum(main not in kept and not (partners[main] & kept) for main in set(mains))
    out["kept"], out["frames"] = int(result.kept.sum()), len(names)
    out["warnings"] = len(result.warnings)
    return out


def run(job: tuple[str, int, int, bool, bool]) -> dict[str, Any]:
    """Makes a session and searches it."""
    kind, seed, shots, duplicates, thresholds = job
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        truth = make(directory / "session", KINDS[kind], seed, shots=shots, duplicates=duplicates, named=seed % 2 == 1)
        chosen = {"search_angle_deg": ANGLES[kind]} if kind in ANGLES and hasattr(MicrographParams, "search_angle_deg") else {}
        line = {"kind": kind, "seed": seed, "shots": shots, "duplicates": duplicates}
        started = time.process_time()
        line |= score(truth, find_duplicate_micrographs(directory / "session", MicrographParams(bin=1, threads=1, **chosen)))
        line["seconds"] = round(time.process_time() - started, 2)
        if thresholds:
            params = MicrographParams(bin=1, threads=1, threshold=THRESHOLDS[0])
            result = find_duplicate_micrographs(directory / "session", params)
            for threshold in THRESHOLDS:
                simple = score(truth, result, threshold)
                line[f"ccc {threshold}"] = {key: simple[key] for key in ("found", "false")}
    return line


def run_all(arguments: argparse.Namespace) -> None:
    kinds = [kind for kind in KINDS if arguments.kinds is None or kind in arguments.kinds.split(",")]
    numbers = lambda text: [int(part) for part in text.split(",")]  # noqa: E731
    jobs = [
        (kind, seed, shots, duplicates, arguments.thresholds)
        for kind in kinds
        for shots in numbers(arguments.shots)
        for duplicates in ((True, False) if KINDS[kind].repeats and not arguments.only_duplicates else (True,))
        for seed in numbers(arguments.seeds)
    ]
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool, arguments.out.open("a") as file:
        for line in pool.map(run, jobs):
            file.write(json.dumps(line) + "\n")
            file.flush()


def table(lines: Iterable[dict[str, Any]]) -> None:
    """Prints a row for each kind, with and without duplicates, one shot and four."""
    groups: dict[tuple[str, bool, int], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        groups[line["kind"], not line["duplicates"], line["shots"]].append(line)
    bands = " | ".join(f"{low:g}-{min(high, 1):g}" for low, high in BANDS)
    print(f"kind | shots | {bands} | false | lost | 99 % of shifts | ccc 0.15, 0.2, 0.3: found, false")
    total = {"found": 0, "false": 0}
    for (kind, without, shots), several in sorted(groups.items(), key=lambda item: (list(KINDS).index(item[0][0]), item[0][1:])):
        sums = [[sum(line[key][band] for line in several) for band in range(3)] for key in ("found", "there")]
        found = " | ".join(f"{a}/{b}" if b else "-" for a, b in zip(*sums, strict=True))
        false, lost = (sum(line[key] for line in several) for key in ("false", "lost"))
        errors = sorted(error for line in several for error in line["errors"])
        worst = f"{errors[min(len(errors) - 1, int(0.99 * len(errors)))]:.1f}" if errors else "-"
        simple = ", ".join(
            f"{sum(sum(line[key]['found']) for line in several)} {sum(line[key]['false'] for line in several)}"
            for key in (f"ccc {threshold}" for threshold in THRESHOLDS)
            if key in several[0]
        )
        print(f"{kind}{', no duplicates' if without else ''} ({len(several)}) | {shots} | {found} | {false} | {lost} | {worst} | {simple}")
        total["found"] += sum(sums[0])
        total["false"] += false
    print(f"in all: {total['found']:,} true pairs and {total['false']:,} false ones found")


def folders(paths: Iterable[Path], params: MicrographParams) -> Iterable[dict[str, Any]]:
    for path in paths:
        with (path / "pairs.csv").open() as file:
            rows = list(csv.DictReader(file))
        stem = lambda name: name.removesuffix(".mrc")  # noqa: E731
        pairs = {(stem(r["name_i"]), stem(r["name_j"])): (float(r["overlap"]), (float(r["dx"]), float(r["dy"]))) for r in rows}
        result = find_duplicate_micrographs(path / "micrographs.star", params)
        yield {"kind": "plain", "shots": 4, "duplicates": True, "session": path.name} | score(Truth([], pairs), result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sessions", nargs="*", type=Path)
    parser.add_argument("--kinds")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--shots", default="4,1")
    parser.add_argument("--only-duplicates", action="store_true")
    parser.add_argument("--thresholds", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("recall.jsonl"))
    parser.add_argument("--table", nargs="+", type=Path)
    parser.add_argument("--bin", type=int, default=2, help="of SESSION...")
    arguments = parser.parse_args()
    if arguments.table:
        table(json.loads(line) for path in arguments.table for line in path.read_text().splitlines())
    elif arguments.sessions:
        table(folders(arguments.sessions, MicrographParams(bin=arguments.bin)))
    else:
        run_all(arguments)


if __name__ == "__main__":
    main()

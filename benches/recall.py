"""What the search finds in simulated sessions of every kind, and what it invents.

`python benches/recall.py [--kinds K,K] [--seeds 1,2,3] [--shots 4,1] [--out FILE]` makes each session (see `simulate/kinds.py`; `mixed`
only if asked for), with and without duplicates, runs the whole job with its default parameters, and appends a line of JSON for each.
`--search-flips` compares all orientations, and marks the kinds. `--thresholds` adds what a plain threshold of ccc finds over all pairs, as
microduplicate_screener decides. `--table FILE...` prints the
table of such lines. `SESSION...` are folders with `micrographs.star` and `pairs.csv` (name_i, name_j, overlap, dx, dy), scored in the same
way; their kind is what their names have before `_`.
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

from simulate.kinds import ANGLES, KINDS, MIXED, kind_of
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
    pairs = dict(truth.pairs)
    if result.params.search_flips:
        pairs |= {pair: (share, None) for pair, share in truth.flipped.items()}
    true = {tuple(sorted(pair)): value for pair, value in pairs.items()}
    out: dict[str, Any] = {"there": [0, 0, 0], "found": [0, 0, 0], "errors": [], "missed": []}
    for pair, (share, move) in true.items():
        band = next(k for k, (low, high) in enumerate(BANDS) if low <= share < high)
        out["there"][band] += 1
        if pair in found:
            out["found"][band] += 1
            if move is None:
                continue
            first = next(name for name in truth.pairs if tuple(sorted(name)) == pair)[0]
            sign = 1 if mains[found[pair].first] == first else -1
            shift = found[pair].shift_px
            out["errors"].append(round(max(abs(sign * shift[k] - move[k]) for k in (0, 1)) / result.params.bin, 2))
        else:
            out["missed"].append(round(share, 2))
    true |= {tuple(sorted(pair)): (share, None) for pair, share in truth.flipped.items()}
    out["false"] = len(found.keys() - true.keys())
    out["false_pairs"] = [
        (*pair, round(found[pair].z, 1), [round(x) for x in found[pair].shift_px], f"{found[pair].q:.0e}", found[pair].shot_agreement)
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


def run(job: tuple[str, int, int, bool, bool, bool]) -> dict[str, Any]:
    """Makes a session and searches it."""
    kind, seed, shots, duplicates, thresholds, flips = job
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        truth = make(directory / "session", kind_of(kind, seed), seed, shots=shots, duplicates=duplicates, named=seed % 2 == 1)
        chosen: dict[str, Any] = {"search_angle_deg": ANGLES[kind]} if kind in ANGLES else {}
        chosen |= {"search_flips": True} if flips else {}
        line = {"kind": kind + ", search_flips" * flips, "seed": seed, "shots": shots, "duplicates": duplicates}
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
    kinds = [kind for kind in (*KINDS, MIXED) if kind in (arguments.kinds or ",".join(KINDS)).split(",")]
    numbers = lambda text: [int(part) for part in text.split(",")]  # noqa: E731
    jobs = [
        (kind, seed, shots, duplicates, arguments.thresholds, arguments.search_flips)
        for kind in kinds
        for shots in numbers(arguments.shots)
        for duplicates in ((True, False) if kind_of(kind, 0).repeats and not arguments.only_duplicates else (True,))
        for seed in numbers(arguments.seeds)
    ]
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool, arguments.out.open("a") as file:
        for line in pool.map(run, jobs):
            file.write(json.dumps(line) + "\n")
            file.flush()


def table(lines: Iterable[dict[str, Any]]) -> None:
    """Prints the rows of the table in docs/validation.md: one for each kind and number of shots."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    without: dict[tuple[str, int], list[int]] = defaultdict(list)
    for line in lines:
        if line["duplicates"]:
            groups[line["kind"], line["shots"]].append(line)
        else:
            without[line["kind"], line["shots"]].append(line["false"])
    print("| kind | shots a hole | overlap ≥ 0.5 | 0.3 to 0.5 | below | false | without duplicates | lost | shift |", end="")
    print("".join(f" ccc ≥ {threshold} |" for threshold in THRESHOLDS) + "\n" + "|---" * (9 + len(THRESHOLDS)) + "|")
    place = {kind: number for number, kind in enumerate(KINDS)}
    total, false_in_all = [[0, 0, 0], [0, 0, 0]], 0
    for kind, shots in sorted(groups, key=lambda key: (place.get(key[0].split(", search")[0], 0), key)):
        several = groups[kind, shots]
        sums = [[sum(line[key][band] for line in several) for band in range(len(BANDS))] for key in ("found", "there")]
        false, lost = (sum(line[key] for line in several) for key in ("false", "lost"))
        errors = sorted(error for line in several for error in line["errors"])
        worst = f"{errors[int(0.99 * (len(errors) - 1))]:.1f}" if errors else ""
        cells = [f"{a}/{b}" if b else "" for a, b in zip(*sums, strict=True)]
        cells += [str(false), str(sum(without[kind, shots])) if (kind, shots) in without else "", str(lost), worst]
        for key in (f"ccc {threshold}" for threshold in THRESHOLDS):
            simple = [line for line in several if key in line]
            found, there = sum(sum(line[key]["found"]) for line in simple), sum(sum(line["there"]) for line in simple)
            cells.append(f"{found}/{there}, {sum(line[key]['false'] for line in simple)}" if simple else "")
        print(f"| {kind} | {shots} | {' | '.join(cells)} |")
        if kind not in KINDS or not KINDS[kind].montage:
            total = [[a + b for a, b in zip(*both, strict=True)] for both in zip(total, sums, strict=True)]
            false_in_all += false
    shares = "; ".join(f"{low:g} to {min(high, 1):g}: {a}/{b}" for (low, high), a, b in zip(BANDS, *total, strict=True))
    alone = sum(map(sum, without.values()))
    print(
        f"\nmontages apart, found by overlap: {shares}; {false_in_all} false beside {sum(total[0])}; {alone} where there are no duplicates"
    )


def folders(paths: Iterable[Path], params: MicrographParams) -> Iterable[dict[str, Any]]:
    for path in paths:
        with (path / "pairs.csv").open() as file:
            rows = list(csv.DictReader(file))
        stem = lambda name: name.removesuffix(".mrc")  # noqa: E731
        pairs = {(stem(r["name_i"]), stem(r["name_j"])): (float(r["overlap"]), (float(r["dx"]), float(r["dy"]))) for r in rows}
        result = find_duplicate_micrographs(path / "micrographs.star", params)
        yield {"kind": path.name.split("_")[0], "shots": 4, "duplicates": True} | score(Truth([], pairs), result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sessions", nargs="*", type=Path)
    parser.add_argument("--kinds")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--shots", default="4,1")
    parser.add_argument("--only-duplicates", action="store_true")
    parser.add_argument("--thresholds", action="store_true")
    parser.add_argument("--search-flips", action="store_true")
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

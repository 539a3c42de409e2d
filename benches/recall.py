"""Recall and precision on simulated sessions with truth: `python benches/recall.py SESSION...`.

A session is a folder with `micrographs.star` and `pairs.csv` (name_i, name_j, overlap; dx, dy: the move, in pixels, that lays j on i), as
the developers' simulator writes them. Sessions whose folders' names differ in their trailing digits only are of one kind.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cryodedup import MicrographParams, find_duplicate_micrographs

BANDS = ((0.5, 1.01), (0.3, 0.5), (0.15, 0.3), (0.0, 0.15))


@dataclass
class Score:
    """What was found of what was there."""

    there: dict[tuple[float, float], int] = field(default_factory=lambda: defaultdict(int))
    found: dict[tuple[float, float], int] = field(default_factory=lambda: defaultdict(int))
    false: int = 0
    reported: int = 0
    errors_px: list[float] = field(default_factory=list)


def score(directory: Path, params: MicrographParams, into: Score) -> None:
    """Runs one session."""
    with (directory / "pairs.csv").open() as file:
        truth = {(row["name_i"], row["name_j"]): row for row in csv.DictReader(file)}
    result = find_duplicate_micrographs(directory / "micrographs.star", params)
    found = {(Path(result.names[pair.first]).name, Path(result.names[pair.second]).name): pair for pair in result.pairs}
    into.reported += len(found)
    into.false += len(found.keys() - truth.keys())
    for names, row in truth.items():
        band = next(band for band in BANDS if band[0] <= float(row["overlap"]) < band[1])
        into.there[band] += 1
        if names in found:
            into.found[band] += 1
            pair = found[names]
            into.errors_px.append(max(abs(pair.shift_px[0] - float(row["dx"])), abs(pair.shift_px[1] - float(row["dy"]))) / params.bin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sessions", nargs="+", type=Path)
    parser.add_argument("--bin", type=int, default=2)
    parser.add_argument("--fdr", type=float, default=0.01)
    parser.add_argument("--sensitivity", default="auto")
    arguments = parser.parse_args()
    params = MicrographParams(bin=arguments.bin, fdr=arguments.fdr, sensitivity=arguments.sensitivity)
    scores: dict[str, Score] = defaultdict(Score)
    for session in arguments.sessions:
        score(session, params, scores[re.sub(r"\d+$", "", session.name)])
    print("session | " + " | ".join(f"overlap {low:g}-{min(high, 1):g}" for low, high in BANDS) + " | precision | shift within 1 px")
    total = Score()
    for kind, one in [*scores.items(), ("all", total)]:
        recalls = [f"{one.found[band]}/{one.there[band]}" for band in BANDS]
        precision = f"{one.reported - one.false}/{one.reported}"
        close = f"{100 * np.mean(np.array(one.errors_px) <= 1):.1f} %" if one.errors_px else "-"
        print(" | ".join([kind, *recalls, precision, close]), flush=True)
        for band in BANDS:
            total.there[band] += one.there[band]
            total.found[band] += one.found[band]
        total.false, total.reported = total.false + one.false, total.reported + one.reported
        total.errors_px += one.errors_px


if __name__ == "__main__":
    main()

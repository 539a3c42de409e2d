"""False pairs in small sessions, of which no fixed pattern can be taken out: random parts of simulated sessions.

    python benches/few.py FIRST_SEED END_SEED [--parts 6]

Prints how many parts have a pair that was not planted, and how many of the planted pairs are missed.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from tempfile import TemporaryDirectory

from cryodedup import MicrographParams, find_duplicate_micrographs
from cryodedup.demo import make_micrographs

SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 22, 23)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int)
    parser.add_argument("--parts", type=int, default=6, help="of each session")
    args = parser.parse_args()
    parts = wrong = planted_pairs = missed = 0
    for seed in range(args.first, args.end):
        draw = random.Random(seed)
        with TemporaryDirectory() as directory:
            planted = make_micrographs(Path(directory), seed=seed)
            true = {frozenset(Path(name).name for name in pair) for pair in planted.pairs}
            images = sorted((Path(directory) / "Micrographs").iterdir())
            for _ in range(args.parts):
                chosen = sorted(draw.sample(images, draw.choice(SIZES)))
                result = find_duplicate_micrographs(chosen, MicrographParams(bin=2, max_removed=1))
                found = {frozenset(Path(result.names[i]).name for i in (pair.first, pair.second)) for pair in result.duplicates}
                here = {pair for pair in true if pair <= {image.name for image in chosen}}
                parts += 1
                wrong += bool(found - true)
                planted_pairs += len(here)
                missed += len(here - found)
    print(f"{parts} parts of 2 to 23 micrographs: {wrong} with a false pair; {missed} of {planted_pairs} planted pairs missed")


if __name__ == "__main__":
    main()

"""What people do today, as programs to be timed against: the same selection (20 Å, best figure of merit), rows kept written to a STAR file.

    python benches/peers.py starfile big.star out.star     a careful user's script: starfile, cKDTree a micrograph, starfile
    python benches/peers.py lines big.star out.star        what an expert would write: the original lines filtered, cKDTree

Both take the file of benches/session.py: one pixel size, no checks of any kind.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

SEPARATION_A = 20.0
PIXEL_SIZE_A = 0.83


def greedy(points, scores):
    """Mask of the points kept, from the best to the worst."""
    pairs = cKDTree(points).query_pairs(SEPARATION_A, output_type="ndarray")
    rank = np.empty(len(points), int)
    rank[np.argsort(-scores, kind="stable")] = np.arange(len(points))
    first = np.where(rank[pairs[:, 0]] < rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    second = pairs.sum(axis=1) - first
    kept = np.ones(len(points), bool)
    for best, worse in sorted(zip(first, second, strict=True), key=lambda pair: rank[pair[0]]):
        if kept[best]:
            kept[worse] = False
    return kept


def select(points, scores, names):
    """Mask over all micrographs."""
    _, groups = np.unique(names, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    kept = np.ones(len(points), bool)
    for rows in np.split(order, np.cumsum(np.bincount(groups))[:-1]):
        kept[rows] = greedy(points[rows], scores[rows])
    return kept


def with_starfile(source, target):
    import starfile

    tables = starfile.read(source)
    table = tables["particles"]
    points = table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy() * PIXEL_SIZE_A
    points -= table[["rlnOriginXAngst", "rlnOriginYAngst"]].to_numpy()
    kept = select(points, table["rlnAutopickFigureOfMerit"].to_numpy(), table["rlnMicrographName"].to_numpy(str))
    starfile.write({**tables, "particles": table[kept]}, target)


def with_lines(source, target):
    with Path(source).open("rb") as file:
        lines = file.readlines()
    start = lines.index(b"data_particles\n")
    labels = [line.split()[0] for line in lines[start:] if line.startswith(b"_")]
    first = next(i for i in range(start, len(lines)) if lines[i].startswith(b"_")) + len(labels)
    rows = [line for line in lines[first:] if line.strip()]
    wanted = ["CoordinateX", "CoordinateY", "OriginXAngst", "OriginYAngst", "AutopickFigureOfMerit", "MicrographName"]
    places = [labels.index(b"_rln" + name.encode()) for name in wanted]
    cells = [[cells[i] for i in places] for cells in (row.split(None, max(places) + 1) for row in rows)]
    columns = list(zip(*cells, strict=True))
    x, y, dx, dy, scores = (np.array(column, float) for column in columns[:5])
    points = np.stack([x * PIXEL_SIZE_A - dx, y * PIXEL_SIZE_A - dy], axis=1)
    kept = select(points, scores, np.array(columns[5]))
    with Path(target).open("wb") as file:
        file.writelines(lines[:first])
        file.writelines(row for row, keep in zip(rows, kept, strict=True) if keep)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", choices=["starfile", "lines"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    {"starfile": with_starfile, "lines": with_lines}[args.how](args.source, args.target)


if __name__ == "__main__":
    main()

"""Inputs of many files, and expanded ones, made from those of benches/session.py.

python benches/many.py stars 1000 big.star many       1,000 STAR files that hold the rows of one, in their order; with --shared 10
                                                      each micrograph is in ten of them
python benches/many.py picks 1000 300 picks           1,000 micrographs of 300 picks: picks/box, picks/star; picks/all.star has all rows
python benches/many.py expanded 100000 60 expanded    100,000 particles x 60: expanded.star and expanded.cs
"""

import argparse
from pathlib import Path

import numpy as np
import session


def split(source, files, directory, shared=1):
    """The head of the file and its share of the rows in each: every ``shared``-th row of a part of the file."""
    directory.mkdir()
    with source.open("rb") as file:
        lines = file.readlines()
    end = max(i for i, line in enumerate(lines) if line.startswith(b"_")) + 1
    rows = [line for line in lines[end:] if line.strip()]
    share = -(-len(rows) // files) * shared
    for number in range(files):
        start, first = number // shared * share, number % shared
        with (directory / f"part_{number:04d}.star").open("wb") as file:
            file.writelines([*lines[:end], *rows[start : start + share][first::shared], b" \n"])


def picks(micrographs, each, directory, seed=1):
    """The same picks as boxes, as coordinate files of RELION, and as one STAR file."""
    rng = np.random.default_rng(seed)
    for kind in ("box", "star"):
        (directory / kind).mkdir(parents=True)
    head = "data_\n\nloop_ \n_rlnCoordinateX #1 \n_rlnCoordinateY #2 \n_rlnAutopickFigureOfMerit #3 \n"
    labels = "_rlnMicrographName #1 \n_rlnCoordinateX #2 \n_rlnCoordinateY #3 \n_rlnAutopickFigureOfMerit #4 \n"
    with (directory / "all.star").open("w") as one:
        one.write(f"\ndata_particles\n\nloop_ \n{labels}")
        for number in range(micrographs):
            xy, scores = rng.integers(0, session.SIDES_PX, (each, 2)).tolist(), rng.random(each).tolist()
            name = f"hole_{number:06d}"
            cells = [f"{x:12.6f} {y:12.6f} {score:12.6f} \n" for (x, y), score in zip(xy, scores, strict=True)]
            one.writelines(f"MotionCorr/job002/{name}.mrc {line}" for line in cells)
            (directory / "star" / f"{name}_autopick.star").write_text(head + "".join(cells))
            boxes = (f"{x - 100}\t{y - 100}\t200\t200\t{score:.6f}\n" for (x, y), score in zip(xy, scores, strict=True))
            (directory / "box" / f"{name}.box").write_text("".join(boxes))


def expanded(particles, copies, stem, seed=1):
    """What ``relion_particle_symmetry_expand`` and CryoSPARC's *Symmetry Expansion* write: copies differ in their angles."""
    rng = np.random.default_rng(seed)
    micrograph, xy, score = session.picks(particles, rng)
    labels = ["MicrographName", "CoordinateX", "CoordinateY", "AutopickFigureOfMerit", "ImageName", "OpticsGroup"]
    labels += ["AngleRot", "AngleTilt", "AnglePsi", "OriginXAngst", "OriginYAngst", "RandomSubset"]
    with stem.with_suffix(".star").open("w") as file:
        file.write(
            "\ndata_optics\n\nloop_ \n_rlnOpticsGroup #1 \n_rlnMicrographPixelSize #2 \n_rlnImagePixelSize #3 \n"
            f"1 {session.PIXEL_SIZE_A} {2 * session.PIXEL_SIZE_A} \n\ndata_particles\n\nloop_ \n"
            + "".join(f"_rln{label} #{i + 1} \n" for i, label in enumerate(labels))
        )
        for i in range(particles):
            name = f"hole_{micrograph[i]:06d}"
            first = f"MotionCorr/job002/{name}.mrc {xy[i, 0]:12.6f} {xy[i, 1]:12.6f} {score[i]:12.6f} {i + 1:06d}@Extract/{name}.mrcs 1"
            last = f"{xy[i, 0] % 3:12.6f} {xy[i, 1] % 3:12.6f} {i % 2 + 1} \n"
            file.write("".join(f"{first} {rot:12.6f} {tilt:12.6f} {psi:12.6f} {last}" for rot, tilt, psi in rng.random((copies, 3)) * 180))
    fields = [
        ("uid", "<u8"), ("location/micrograph_uid", "<u8"), ("location/micrograph_path", "S120"),
        ("location/micrograph_shape", "<u4", (2,)), ("location/center_x_frac", "<f4"), ("location/center_y_frac", "<f4"),
        ("location/micrograph_psize_A", "<f4"), ("alignments3D/shift", "<f4", (2,)), ("alignments3D/psize_A", "<f4"),
        ("alignments3D/pose", "<f4", (3,)), ("sym_expand/idx", "<u4"), ("sym_expand/src_uid", "<u8"),
    ]  # fmt: skip
    dtype = np.dtype(fields)
    with stem.with_suffix(".cs").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": dtype.descr, "fortran_order": False, "shape": (particles * copies,)})
        for start in range(0, particles, 10_000):
            of = np.repeat(np.arange(start, min(particles, start + 10_000)), copies)
            records = np.zeros(len(of), dtype)
            records["uid"] = (start * copies + np.arange(len(of))) * 7919 + 1
            records["location/micrograph_uid"] = micrograph[of] + 10**18
            records["location/micrograph_path"] = [f"J2/motioncorrected/hole_{m:06d}.mrc" for m in micrograph[of]]
            records["location/micrograph_shape"] = session.SIDES_PX[::-1]
            records["location/center_x_frac"], records["location/center_y_frac"] = (xy[of] / session.SIDES_PX).T
            records["location/micrograph_psize_A"] = session.PIXEL_SIZE_A
            records["alignments3D/shift"] = xy[of] % 3
            records["alignments3D/psize_A"] = 2 * session.PIXEL_SIZE_A
            records["alignments3D/pose"] = rng.random((len(of), 3))
            records["sym_expand/idx"] = np.tile(np.arange(copies), len(of) // copies)
            records["sym_expand/src_uid"] = of * 7919 + 10**17
            file.write(records.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, arguments in {
        "stars": [("files", int), ("source", Path), ("target", Path)],
        "picks": [("micrographs", int), ("each", int), ("target", Path)],
        "expanded": [("particles", int), ("copies", int), ("target", Path)],
    }.items():
        chosen = kinds.add_parser(kind)
        for name, type_ in arguments:
            chosen.add_argument(name, type=type_)
        if kind == "stars":
            chosen.add_argument("--shared", type=int, default=1)
    args = parser.parse_args()
    if args.kind == "stars":
        split(args.source, args.files, args.target, args.shared)
    elif args.kind == "picks":
        picks(args.micrographs, args.each, args.target)
    else:
        expanded(args.particles, args.copies, args.target)


if __name__ == "__main__":
    main()

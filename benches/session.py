"""Large files for the benchmarks: a 30-column RELION particle STAR and a CryoSPARC dataset of 549-byte records.

python benches/session.py star 1000000 big.star
python benches/session.py cs 5000000 big.cs
"""

import argparse
from pathlib import Path

import numpy as np

PER_MICROGRAPH = 300
SIDES_PX = np.array([5760, 4092])
PIXEL_SIZE_A = 0.83
COLUMNS = [
    "CoordinateX",
    "CoordinateY",
    "AutopickFigureOfMerit",
    "ClassNumber",
    "AnglePsi",
    "ImageName",
    "MicrographName",
    "OpticsGroup",
    "CtfMaxResolution",
    "CtfFigureOfMerit",
    "DefocusU",
    "DefocusV",
    "DefocusAngle",
    "CtfBfactor",
    "CtfScalefactor",
    "PhaseShift",
    "GroupNumber",
    "AngleRot",
    "AngleTilt",
    "OriginXAngst",
    "OriginYAngst",
    "NormCorrection",
    "LogLikeliContribution",
    "MaxValueProbDistribution",
    "NrOfSignificantSamples",
    "RandomSubset",
    "BeamTiltX",
    "BeamTiltY",
    "OriginXPriorAngst",
    "OriginYPriorAngst",
]


def picks(n, rng):
    """Positions in px: a fifth of the picks are second picks of another, a few Å away."""
    micrograph = np.arange(n) // PER_MICROGRAPH
    xy = rng.random((n, 2)) * SIDES_PX
    again = (np.arange(n) % 5 == 4) & (np.arange(n) % PER_MICROGRAPH > 0)
    xy[again] = xy[np.flatnonzero(again) - 1] + rng.normal(0, 5, (int(again.sum()), 2))
    return micrograph, xy, rng.random(n)


def write_star(path, n, seed=1):
    rng = np.random.default_rng(seed)
    micrograph, xy, score = picks(n, rng)
    labels = "".join(f"_rln{name} #{i + 1} \n" for i, name in enumerate(COLUMNS))
    with Path(path).open("w") as file:
        file.write(
            "\n# version 30001\n\ndata_optics\n\nloop_ \n_rlnOpticsGroupName #1 \n_rlnOpticsGroup #2 \n_rlnMicrographPixelSize #3 \n"
            "_rlnVoltage #4 \n_rlnSphericalAberration #5 \n_rlnAmplitudeContrast #6 \n_rlnImagePixelSize #7 \n_rlnImageSize #8 \n"
            f"opticsGroup1            1     {PIXEL_SIZE_A:.6f}   300.000000     2.700000     0.100000     1.660000          256 \n \n\n"
            f"# version 30001\n\ndata_particles\n\nloop_ \n{labels}"
        )
        stem = "Micrographs/FoilHole_Data_20190726_1321_{:06d}"
        for start in range(0, n, 100_000):
            lines = []
            values = rng.random((min(100_000, n - start), 20))
            for i, value in enumerate(values, start):
                name = stem.format(micrograph[i])
                v = value.tolist()
                lines.append(
                    f"{xy[i, 0]:12.6f} {xy[i, 1]:12.6f} {score[i]:12.6f} {int(v[0] * 50):12d} {v[1] * 360 - 180:12.6f}"
                    f" {i % PER_MICROGRAPH + 1:06d}@Extract/job009/{name}.mrcs MotionCorr/job002/{name}.mrc {1:12d} {v[2] * 8:12.6f}"
                    f" {v[3]:12.6f} {v[4] * 2e4:12.6f} {v[5] * 2e4:12.6f} {v[6] * 90:12.6f} {0:12.6f} {1:12.6f}"
                    f" {0:12.6f} {micrograph[i]:12d}"
                    f" {v[7] * 360 - 180:12.6f} {v[8] * 180:12.6f} {v[9] * 4 - 2:12.6f} {v[10] * 4 - 2:12.6f} {v[11]:12.6f}"
                    f" {v[12] * 1e5:12.6e} {v[13]:12.6f} {int(v[14] * 99) + 1:12d} {i % 2 + 1:12d} {v[15]:12.6f} {v[16]:12.6f}"
                    f" {v[17]:12.6f} {v[18]:12.6f} \n"
                )
            file.write("".join(lines))
        file.write(" \n")


def write_cs(path, n, seed=1):
    rng = np.random.default_rng(seed)
    micrograph, xy, score = picks(n, rng)
    fields = [
        ("uid", "<u8"), ("location/micrograph_uid", "<u8"), ("location/exp_group_id", "<u4"), ("location/micrograph_path", "S120"),
        ("location/micrograph_shape", "<u4", (2,)), ("location/center_x_frac", "<f4"), ("location/center_y_frac", "<f4"),
        ("location/micrograph_psize_A", "<f4"), ("pick_stats/ncc_score", "<f4"), ("alignments3D/shift", "<f4", (2,)),
        ("alignments3D/psize_A", "<f4"), ("alignments3D/pose", "<f4", (3,)), ("blob/path", "S120"), ("blob/idx", "<u4"),
        ("ctf/rest", "V237"),
    ]  # fmt: skip
    dtype = np.dtype(fields)
    assert dtype.itemsize == 549, dtype.itemsize
    with Path(path).open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": dtype.descr, "fortran_order": False, "shape": (n,)})
        for start in range(0, n, 100_000):
            rows = slice(start, min(n, start + 100_000))
            records = np.zeros(rows.stop - rows.start, dtype)
            records["uid"] = np.arange(rows.start, rows.stop) * 7919 + 1
            records["location/micrograph_uid"] = micrograph[rows] + 10**18
            records["location/micrograph_path"] = [f"J2/motioncorrected/{10**18 + m:021d}_hole_{m:06d}.mrc" for m in micrograph[rows]]
            records["location/micrograph_shape"] = SIDES_PX[::-1]
            records["location/center_x_frac"], records["location/center_y_frac"] = (xy[rows] / SIDES_PX).T
            records["location/micrograph_psize_A"] = PIXEL_SIZE_A
            records["pick_stats/ncc_score"] = score[rows]
            records["alignments3D/shift"] = rng.normal(0, 1, (len(records), 2))
            records["alignments3D/psize_A"] = 2 * PIXEL_SIZE_A
            file.write(records.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["star", "cs"])
    parser.add_argument("rows", type=int)
    parser.add_argument("path", type=Path)
    args = parser.parse_args()
    {"star": write_star, "cs": write_cs}[args.kind](args.path, args.rows)


if __name__ == "__main__":
    main()

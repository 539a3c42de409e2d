"""What several tests use: small files of each format, the plainest oracle, and where the real data are."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="real data (../shared) are not at hand: they are not distributed")


def star(
    path: Path,
    rows: Sequence[Sequence[object]],
    columns: str = "CoordinateX CoordinateY MicrographName",
    optics: str = "",
    block: str = "particles",
) -> Path:
    """A particle STAR file; ``optics`` is the text of data_optics."""
    labels = "".join(f"_rln{name} #{i + 1}\n" for i, name in enumerate(columns.split()))
    lines = "".join(" ".join(map(str, row)) + " \n" for row in rows)
    path.write_text(f"# version 30001\n{optics}\ndata_{block}\n\nloop_\n{labels}{lines}\n")
    return path


def optics(*groups: tuple[object, ...], columns: str = "OpticsGroup OpticsGroupName MicrographPixelSize") -> str:
    """The text of data_optics."""
    labels = "".join(f"_rln{name} #{i + 1}\n" for i, name in enumerate(columns.split()))
    return f"\ndata_optics\n\nloop_\n{labels}" + "".join(" ".join(map(str, group)) + "\n" for group in groups)


LOCATION = [
    ("uid", "<u8"), ("location/micrograph_uid", "<u8"), ("location/micrograph_path", "S48"), ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"), ("location/center_y_frac", "<f4"), ("location/micrograph_psize_A", "<f4"),
    ("pick_stats/ncc_score", "<f4"),
]  # fmt: skip


def records(xy_px: Sequence[Sequence[float]], extra: Sequence[tuple[object, ...]] = (), **values: object) -> np.ndarray:
    """CryoSPARC particles at pixels of a 4000 x 2000 micrograph, 1 Å a pixel; fields are set by their last part's name."""
    array = np.zeros(len(xy_px), [*LOCATION, *extra])
    array["uid"] = np.arange(len(array)) + 1
    array["location/micrograph_uid"] = 7
    array["location/micrograph_path"] = b"J2/motioncorrected/000000000000000000007_a.mrc"
    array["location/micrograph_shape"] = (2000, 4000)
    array["location/micrograph_psize_A"] = 1
    if len(array):
        array["location/center_x_frac"], array["location/center_y_frac"] = (np.array(xy_px, float) / (4000, 2000)).T
    for name, value in values.items():
        (field,) = [field for field in array.dtype.names if field.split("/")[-1] == name]
        array[field] = value
    return array


def cs(path: Path, array: np.ndarray) -> Path:
    """A .cs file in NPY form."""
    with path.open("wb") as file:
        np.save(file, array)
    return path


@dataclass
class Ran:
    """A finished command."""

    status: int
    out: str
    err: str


def has_marks(text: str) -> bool:
    """Whether a mark for the name of a parameter is left in a text, as it is or as texts for people and JSON write it."""
    return any(
        mark in text for mark in ("\x0e", "\x0f", "\N{REPLACEMENT CHARACTER}0E", "\N{REPLACEMENT CHARACTER}0F", "\\u000e", "\\u000f")
    )


def double_loop(points: np.ndarray, groups: np.ndarray, scores: np.ndarray, separation: float) -> np.ndarray:
    """The mask of the kept by the plainest means; higher scores are better, NaN is worst, ties by input order."""
    kept: list[int] = []
    for i in np.lexsort((np.arange(len(points)), np.nan_to_num(-scores, nan=np.inf))):
        near = [k for k in kept if groups[k] == groups[i] and ((points[k] - points[i]) ** 2).sum() <= separation**2]
        if not near:
            kept.append(int(i))
    mask = np.zeros(len(points), bool)
    mask[kept] = True
    return mask


def same_results(one: Path, other: Path) -> None:
    """Checks that two runs wrote the same, byte for byte; times, memory and the page, which shows the command, may differ."""
    names, others = (
        {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file() and not _OF_RUN.match(str(path.relative_to(place)))}
        for place in (one, other)
    )
    assert names == others
    assert [name for name in sorted(names) if _content(one / name) != _content(other / name)] == []


_OF_RUN = re.compile(r"prepared\.cache|report\.html|stages/|slurm/")


def _content(path: Path) -> object:
    if path.name != "summary.json":
        return path.read_bytes()
    return {name: value for name, value in json.loads(path.read_text("utf-8")).items() if name not in ("times_s", "peak_memory_gb")}

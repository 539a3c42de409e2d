"""What fuzzing needs: a small valid file of each format, ways to damage it, and what has to be true of the damaged file.

``tests/test_fuzz.py`` does a little of it by hypothesis; ``benches/fuzz.py`` goes on for as long as it is told.
"""

from __future__ import annotations

import bz2
import gzip
import io
import re
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import mrcfile
import numpy as np

from cases import cs, optics, records, star
from cryodedup import InputError, ParticleParams, _core, deduplicate_particles
from cryodedup.formats.cryosparc import CsdatFile
from cryodedup.formats.cs_group import group_text
from cryodedup.formats.images import open_image
from cryodedup.formats.output import Destination
from cryodedup.formats.tiff import TiffImage
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.reading import read_inputs
from cryodedup.progress import SILENT

Mutation = tuple[int, int, int]
"""Which way, a place, and what to put there; any numbers from 0 to 65535."""

SIDE_PX = 40
BIN = 2
NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
WORDS = [
    b"nan", b"inf", b"-inf", b"1e308", b"-1e400", b"1e-320", b"-1", b"0", b"-0.0", b"0.5", b"2147483648", b"18446744073709551616",
    b"1" * 400, b"", b"x", b"<NA>", b"#", b"'", b'"', b"\xff", b"\0", b"\n", b" ", b"data_", b"loop_", b"_rlnX #1\n", b"{}", b"[",
]  # fmt: skip
INTEGERS = [0, 1, 2, 3, 255, 1 << 15, (1 << 16) - 1, 1 << 24, 1 << 28, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]


@dataclass(frozen=True)
class Seed:
    """A valid file, and those beside it."""

    name: str
    content: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)
    returned: bool = True
    """Whether choosing all rows gives the file back, byte for byte."""
    pixel_size_a: float | None = None
    """What a user has to give, as the file does not."""
    pack: Callable[[bytes], bytes] = bytes
    """What is done to the damaged content."""

    @property
    def is_image(self) -> bool:
        """Whether it is a micrograph."""
        return self.name.startswith("image")


@cache
def seeds() -> dict[str, Seed]:
    """Small valid files, by a name for each."""
    with TemporaryDirectory() as directory:
        made = [*_star_seeds(Path(directory)), *_dataset_seeds(Path(directory)), *_row_seeds(), *_image_seeds(Path(directory))]
    return {seed.name: seed for seed in made}


def _star_seeds(directory: Path) -> list[Seed]:
    columns = "CoordinateX CoordinateY MicrographName OpticsGroup OriginXAngst OriginYAngst RandomSubset ImageName AutopickFigureOfMerit"
    rows = [(10 * i % 97, 5.5 * i, f"mics/a{i % 2}.mrc", 1, 0.5, -0.25, i % 2 + 1, f"{i}@p.mrcs", 0.1 * i) for i in range(6)]
    groups = optics((1, "opticsGroup1", 1.5, 3.0), columns="OpticsGroup OpticsGroupName MicrographPixelSize ImagePixelSize")
    particles = star(directory / "p.star", rows, columns, groups)
    tomograms = "TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst RandomSubset"
    tomo = star(directory / "t.star", [("TS_1", 1.5 * i, 2, 3, 1) for i in range(4)], tomograms)
    coordinates = star(directory / "c.star", [(10, 20, 0.5), (11, 21, 0.25)], "CoordinateX CoordinateY AutopickFigureOfMerit", block="")
    index = star(directory / "i.star", [("a.mrc", "a.box")], "MicrographName MicrographCoordinates", block="coordinate_files")
    cbox = (
        b"data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n_CoordinateX #1\n_CoordinateY #2\n_CoordinateZ #3\n_Width #4\n"
        b"_Height #5\n_Depth #6\n_Confidence #7\n10 20 <NA> 100 60 <NA> 0.3\n11 20 <NA> 100 60 <NA> 0.9\n"
    )
    motives = (
        b"data_stopgap_motivelist\n\nloop_\n_motl_idx\n_tomo_num\n_object\n_subtomo_num\n_halfset\n_orig_x\n_orig_y\n_orig_z\n_score\n"
        b"_x_shift\n_y_shift\n_z_shift\n_phi\n_psi\n_the\n_class\n1 1 1 1 A 10 20 30 0.5 0.1 0 0 0 0 0 1\n2 1 1 2 B 11 20 30 0.7 0 0 0 1 2 3 1\n"
    )
    return [
        Seed("particles.star", particles.read_bytes()),
        Seed("tomograms.star", tomo.read_bytes()),
        Seed("a_autopick.star", coordinates.read_bytes(), pixel_size_a=1.0),
        Seed("autopick.star", index.read_bytes(), {"a.box": BOX}, returned=False, pixel_size_a=1.0),
        Seed("a.cbox", cbox, pixel_size_a=1.0),
        Seed("motives.star", motives, pixel_size_a=1.0),
    ]


BOX = b"10 20 64 64 0.5\n12 20 64 64 0.25\n200 20 64 64 0.75\n"


def _row_seeds() -> list[Seed]:
    dynamo = [{1: i, 4: 0.5, 10: 0.2, 20: 1 + i // 2, 24: 100 + i, 25: 200, 26: 50, 36: 2.5} for i in range(4)]
    table = "".join(" ".join(str(row.get(i, 0)) for i in range(1, 37)) + "\n" for row in dynamo)
    topaz = "image_name\tx_coord\ty_coord\tscore\na\t10\t20\t0.5\na\t11\t20\t0.75\nb\t10\t20\t-3.5\n"
    return [
        Seed("a.box", BOX, pixel_size_a=1.0),
        Seed("table.tbl", table.encode()),
        Seed("topaz.txt", topaz.encode(), pixel_size_a=1.0),
        Seed("points.txt", b"1 10 20 30\n1 11 20 30.5\n2 50 60 70\n", pixel_size_a=1.0),
    ]


def _dataset_seeds(directory: Path) -> list[Seed]:
    extra = [("alignments3D/shift", "<f4", (2,)), ("alignments3D/psize_A", "<f4"), ("alignments3D/split", "<u4")]
    particles = records([(10, 20), (12, 20), (300, 40), (301, 41)], extra, psize_A=1.5)
    content = cs(directory / "p.cs", particles).read_bytes()
    group = group_text([(particles.dtype, "p.cs")], len(particles), "all").encode()
    wide = io.BytesIO()
    np.lib.format.write_array(wide, particles, version=(2, 0))
    found = [Seed("particles.cs", content), Seed("wide.cs", wide.getvalue()), Seed("group.csg", group, {"p.cs": content})]
    try:
        from cryosparc.dataset import CSDAT_FORMAT, Dataset
    except ImportError:
        return found
    Dataset.load(directory / "p.cs").save(directory / "q.cs", format=CSDAT_FORMAT)
    return [*found, Seed("stream.cs", (directory / "q.cs").read_bytes(), returned=False)]


def _image_seeds(directory: Path) -> list[Seed]:
    pixels = np.random.default_rng(1).normal(size=(SIDE_PX, SIDE_PX)).astype(np.float32)
    found = []
    for name, image in (("float", pixels), ("short", (100 * pixels).astype(np.int16)), ("half", pixels.astype(np.float16))):
        with mrcfile.new(directory / name, overwrite=True) as file:
            file.set_data(image)
            file.voxel_size = 1.25
        found.append(Seed(f"image_{name}.mrc", (directory / name).read_bytes()))
    plain = found[0].content
    found += [Seed("image.mrc.gz", gzip.compress(plain, mtime=0)), Seed("image.mrc.bz2", bz2.compress(plain))]
    found += [Seed("image_inside.mrc.gz", plain, pack=gzip.compress), Seed("image_inside.mrc.bz2", plain, pack=bz2.compress)]
    try:
        import tifffile
    except ImportError:
        return found
    # imagecodecs has the last two.
    for compression in (None, "zlib", "lzw", "zstd"):
        file = io.BytesIO()
        tifffile.imwrite(file, (100 * pixels).astype(np.int16), compression=compression, resolution=(2e8, 2e8), resolutionunit="CENTIMETER")
        found.append(Seed(f"image_{compression or 'plain'}.tif", file.getvalue()))
    return found


def mutated(content: bytes, mutations: Sequence[Mutation]) -> bytes:
    """The content with all the mutations, one after the other."""
    for kind, place, value in mutations:
        content = _KINDS[kind % len(_KINDS)](content, place * len(content) // 65536, value)
    return content


def _flip(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << value % 8]) + content[at + 1 :] if content else content


def _set(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + bytes([value % 256]) + content[at + 1 :]


def _truncate(content: bytes, at: int, value: int) -> bytes:
    return content[:at]


def _delete(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + content[at + 1 + value % 64 :]


def _repeat(content: bytes, at: int, value: int) -> bytes:
    chunk = content[at : at + 1 + value % 256]
    return content[:at] + chunk * (1 + value // 256 % 8) + content[at:]


def _move(content: bytes, at: int, value: int) -> bytes:
    chunk, rest = content[at : at + 1 + value % 64], content[:at] + content[at + 1 + value % 64 :]
    to = value * len(rest) // 65536
    return rest[:to] + chunk + rest[to:]


def _insert(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + WORDS[value % len(WORDS)] + content[at:]


def _number(content: bytes, at: int, value: int) -> bytes:
    """Another word in place of the next number, as text."""
    found = NUMBER.search(content, at) or NUMBER.search(content)
    return content if found is None else content[: found.start()] + WORDS[value % len(WORDS)] + content[found.end() :]


def _integer(content: bytes, at: int, value: int) -> bytes:
    """Another number in place of one, in binary: where it begins on a multiple of its length, and mostly in a header."""
    size = (2, 4, 8)[value // 256 % 3]
    at = (at if value // 1024 % 4 == 0 else at % 256) // size * size
    number = INTEGERS[value % len(INTEGERS)] % (1 << 8 * size)
    return content[:at] + number.to_bytes(size, "big" if value // 4096 % 4 == 0 else "little") + content[at + size :]


def _float(content: bytes, at: int, value: int) -> bytes:
    at = at // 4 * 4
    with np.errstate(over="ignore"):
        number = np.float32([np.nan, np.inf, -np.inf, 1e38, -1e30, 1e-40, 0, -1][value % 8])
    return content[:at] + number.tobytes() + content[at + 4 :]


_KINDS = (_flip, _set, _truncate, _delete, _repeat, _move, _insert, _number, _number, _integer, _integer, _float)


def place_of(seed: Seed, content: bytes, directory: Path) -> Path:
    """Writes the content, as a file of the seed's name, and what is beside it, into an emptied directory; returns its path."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    for name, other in seed.beside.items():
        (directory / name).write_bytes(other)
    path = directory / seed.name
    path.write_bytes(seed.pack(content))
    return path


def check(seed: Seed, path: Path) -> bool:
    """Checks a damaged file: whether it could be used. Anything but an :class:`InputError` of one line is raised, warnings too."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if seed.is_image:
                _check_image(path)
            else:
                _check_particles(seed, path)
    except InputError as error:
        text = str(error)
        assert text, "an error without a message"
        assert len(text.splitlines()) == 1, f"a message of several lines: {text!r}"
        assert len(text) < 2000, f"a message of {len(text)} characters: {text[:200]!r}"
        return False
    return True


def _check_image(path: Path) -> None:
    image = open_image(path)
    if isinstance(image, TiffImage):
        assert image.read().shape == (image.ny, image.nx)
        return
    if min(image.nx, image.ny) >= 2 * BIN:
        _core.reduce_frame(image.frame, bin=BIN)


def _check_particles(seed: Seed, path: Path) -> None:
    params = ParticleParams(threads=1, pixel_size_a=seed.pixel_size_a)
    for number, picks in enumerate(read_inputs([path], params)):
        _check_returned(seed, picks, path.parent / f"returned{number}")
    result = deduplicate_particles(path, params)
    result.write(path.parent / "out", report=False)


def _check_returned(seed: Seed, picks: Picks, staging: Path) -> None:
    """All rows written give the files back."""
    staging.mkdir()
    picks.output.write(Destination(staging, staging), "all", np.ones(len(picks), bool), [], SILENT)
    if not seed.returned or any(isinstance(part, CsdatFile) for part in getattr(picks.output, "parts", ())):
        return
    written = [path for path in sorted(staging.rglob("*_kept*")) if path.is_file() and path.suffix != ".csg"]
    assert len(written) == len(picks.output.row_files), f"{[str(path) for path in written]} written of {picks.output.row_files}"
    for new, old in zip(written, picks.output.row_files, strict=True):
        assert new.read_bytes() == old.read_bytes(), f"{old}: not given back"

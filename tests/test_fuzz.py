"""Damaged files of every format are refused in one line, or all of their rows are given back; and what fuzzing once found.

``python benches/fuzz.py SECONDS`` tries more, with limits to memory and time.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fuzzing
from cases import cs, records
from cryodedup import InputError, ParticleParams, deduplicate_particles
from cryodedup.formats.cryosparc import NpyFile
from cryodedup.formats.images import open_image

number = st.integers(0, (1 << 16) - 1)
mutations = st.lists(st.tuples(number, number, number), min_size=1, max_size=6)
SLOW = ("stream.cs",)
"""Read by another process first, each time."""


@pytest.mark.parametrize("name", fuzzing.seeds())
def test_an_undamaged_file_is_read_and_given_back(name: str, tmp_path: Path) -> None:
    seed = fuzzing.seeds()[name]
    assert fuzzing.check(seed, fuzzing.place_of(seed, seed.content, tmp_path / "case"))


@pytest.mark.parametrize("name", [name for name in fuzzing.seeds() if name not in SLOW])
def test_a_damaged_file_is_refused_or_given_back(name: str, tmp_path: Path) -> None:
    seed = fuzzing.seeds()[name]

    @settings(max_examples=20, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutations)
    def damage(some: list[fuzzing.Mutation]) -> None:
        fuzzing.check(seed, fuzzing.place_of(seed, fuzzing.mutated(seed.content, some), tmp_path / "case"))

    damage()


@pytest.mark.parametrize("extra", [1, 8, 1000])
def test_bytes_behind_the_records_of_a_dataset(tmp_path: Path, extra: int) -> None:
    path = cs(tmp_path / "p.cs", records([(0, 0), (90, 0)]))
    path.write_bytes(path.read_bytes() + bytes(extra))
    with pytest.raises(InputError, match=f"p.cs: found {extra:,} bytes after 2 records, expected none as its header says"):
        NpyFile.open(path)


def test_a_header_of_gigabytes_is_not_asked_for(tmp_path: Path) -> None:
    content = fuzzing.seeds()["wide.cs"].content
    (tmp_path / "p.cs").write_bytes(content[:8] + (2**32 - 1).to_bytes(4, "little") + content[12:])
    with pytest.raises(InputError, match=r"p\.cs: found a damaged NPY header \(4,294,967,295 bytes long\)"):
        NpyFile.open(tmp_path / "p.cs")


def test_a_message_with_a_name_of_two_lines_is_one_line(tmp_path: Path) -> None:
    array = records([(9, 9), (90, 9), (900, 90)], micrograph_path=b"a\nb.mrc")
    array["location/micrograph_psize_A"] = (1, 1e6, 1e6)
    with pytest.raises(InputError, match=r"found a centre at [0-9]+ x [0-9]+ Å in a\N{REPLACEMENT CHARACTER}0Ab\.mrc, whose size"):
        deduplicate_particles(cs(tmp_path / "p.cs", array))


def test_centres_far_beyond_any_image_are_used(tmp_path: Path) -> None:
    seed = fuzzing.seeds()["tomograms.star"]
    path = fuzzing.place_of(
        seed, seed.content.replace(b" 1.5 2 3", b" 1e200 2 3").replace(b" 3.0 2 3", b" 0 1e308 -1e300"), tmp_path / "case"
    )
    assert fuzzing.check(seed, path)


def test_a_shift_of_no_number_is_refused_with_its_row(tmp_path: Path) -> None:
    array = records([(0, 0), (90, 0)], [("alignments3D/shift", "<f4", (2,)), ("alignments3D/psize_A", "<f4")])
    array["alignments3D/shift"][1], array["alignments3D/psize_A"][1] = (0, 1), np.inf
    path = cs(tmp_path / "p.cs", array)
    with pytest.raises(InputError, match=r"p\.cs, row 1: found a centre at x nan"):
        deduplicate_particles(path, ParticleParams())


@pytest.mark.parametrize("number", ["1e308", "9007199254740992", "inf"])
def test_a_tomogram_of_a_number_beyond_all_is_refused(tmp_path: Path, number: str) -> None:
    seed = fuzzing.seeds()["motives.star"]
    path = fuzzing.place_of(seed, seed.content.replace(b"\n2 1 1", f"\n2 {number} 1".encode()), tmp_path / "case")
    with pytest.raises(InputError, match=r"motives\.star, line 21: tomo_num: found .*, expected the number of a tomogram"):
        deduplicate_particles(path, ParticleParams(pixel_size_a=1.0))


def test_pages_of_a_tiff_file_that_lead_in_a_circle(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for _ in range(120):  # tifffile itself looks for circles only among the first 100
            writer.write(np.zeros((16, 16), np.int16), contiguous=False)
    content = bytearray(file.getvalue())
    pages = tifffile.TiffFile(io.BytesIO(content)).pages
    offsets = [page.offset for page in pages]
    (tags,) = struct.unpack_from("<H", content, offsets[-1])
    struct.pack_into("<I", content, offsets[-1] + 2 + 12 * tags, offsets[5])
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tif: found more than 10,000 pages, expected one image"):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("options", [{"rowsperstrip": 8}, {"tile": (16, 16)}])
def test_a_tiff_file_without_some_of_its_rows_is_refused(tmp_path: Path, compression: str | None, options: dict[str, object]) -> None:
    """What is missing was read as zeros, and 464 bytes took 3 GB."""
    file = io.BytesIO()
    tifffile.imwrite(file, np.ones((64, 64), np.int16), compression=compression, **options)
    content = bytearray(file.getvalue())
    (tmp_path / "whole.tif").write_bytes(content)
    assert open_image(tmp_path / "whole.tif").ny == 64
    offset = tifffile.TiffFile(io.BytesIO(file.getvalue())).pages[0].tags["ImageLength"].offset
    struct.pack_into("<HII", content, offset + 2, 4, 1, 1 << 22)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tif: found .* expected .* for 64 x 4194304"):
        open_image(tmp_path / "a.tif")


def test_a_message_about_a_tiff_file_is_short(tmp_path: Path) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((16, 16), np.int16))
    content = bytearray(file.getvalue())
    at = content.index(struct.pack("<HHI", 259, 3, 1))
    content[at : at + 8] = struct.pack("<HHI", 259, 3, 1000)
    struct.pack_into("<I", content, at + 8, 8)
    (tmp_path / "a.tif").write_bytes(content.ljust(4096, b"\0"))
    with pytest.raises(InputError) as error:
        open_image(tmp_path / "a.tif")
    assert len(str(error.value)) < 400 + len(str(tmp_path))


def test_a_tiff_file_with_its_pixels_before_its_beginning(tmp_path: Path) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((16, 16), np.int16), bigtiff=True)
    content = bytearray(file.getvalue())
    at = next(at for at in range(len(content)) if content[at : at + 2] == struct.pack("<H", 273))
    content[at : at + 20] = struct.pack("<HHQq", 273, 17, 1, -8000)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tif: found a pixel offset before the beginning of the file"):
        open_image(tmp_path / "a.tif")


@pytest.mark.filterwarnings("error")
def test_a_place_and_a_shift_that_add_up_to_no_number_are_refused(tmp_path: Path) -> None:
    labels = ["motl_idx", "tomo_num", "subtomo_num", "orig_x", "orig_y", "orig_z", "x_shift", "y_shift", "z_shift"]
    rows = ["1 1 1 10 10 10 0 0 0", "2 1 2 inf 10 10 -inf 0 0"]
    path = tmp_path / "motives.star"
    path.write_text("data_stopgap_motivelist\nloop_\n" + "".join(f"_{label}\n" for label in labels) + "\n".join(rows) + "\n")
    with pytest.raises(InputError, match=r"motives\.star, line 13: found a centre at x nan"):
        deduplicate_particles(path, ParticleParams(pixel_size_a=1.0))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "index_autopick.star",
            "data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\na.mrc a.box\nb.mrc a.box\n",
            "a.box in several rows, expected one file of coordinates for each micrograph",
        ),
        (
            "index_autopick.star",
            f"data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\na.mrc {'x' * 3000}.box\n",
            "1 of 1 files that it names are missing",
        ),
        ("a.csg", f"results:\n  location:\n    metafile: '>{'x' * 3000}.cs'\n", "beside it, although it refers to that file"),
        ("a.star", f"data_{'x' * 3000}\nloop_\n_y\n1\n", "found no location columns"),
        (
            "a.star",
            f"data_\nloop_\n_{'x' * 40000}\n_{'x' * 40000}\n1 2\n",
            "found the label _x+[.]{3}x+ a second time in one loop, expected",
        ),
    ],
)
def test_what_is_named_twice_or_at_length_is_refused_in_a_short_message(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / "a.box").write_bytes(fuzzing.BOX)
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as error:
        deduplicate_particles(tmp_path / name, ParticleParams(pixel_size_a=1.0))
    assert len(str(error.value)) < 600 + len(str(tmp_path))

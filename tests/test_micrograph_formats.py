"""What micrographs are stored in: TIFF files, movies, other pixel sizes, missing pixels; each read, refused or reported by contract."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from cases import Ran
from cryodedup import InputError, MicrographParams, MicrographResult, find_duplicate_micrographs
from cryodedup.demo.micrographs import BIN, Planted, make_micrographs
from cryodedup.formats.images import open_image
from cryodedup.formats.tiff import open_tiff
from cryodedup.micrographs.reading import Reading

Command = Callable[..., Ran]
PARAMS = MicrographParams(bin=BIN)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make_micrographs(tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="module")
def expected(session: Planted) -> MicrographResult:
    return find_duplicate_micrographs(session.star, PARAMS)


@pytest.fixture
def images(session: Planted, tmp_path: Path) -> list[Path]:
    """Copies of the session's images that may be spoiled, in order of exposure."""
    shutil.copytree(session.star.parent / "Micrographs", tmp_path / "Micrographs")
    return sorted((tmp_path / "Micrographs").iterdir(), key=lambda path: path.name[-10:])


def write_mrc(path: Path, image: np.ndarray, pixel_size_a: float = 0.0) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN pixels are written on purpose
        with mrcfile.new(path, overwrite=True) as file:
            file.set_data(image)
            file.voxel_size = pixel_size_a
    return path


def as_tiff(path: Path, **options: object) -> Path:
    """Replaces an MRC file by a TIFF file of the same image, whose rows count from the other edge."""
    target = path.with_suffix(".tif")
    tifffile.imwrite(target, mrcfile.read(path).astype(np.float32)[::-1], **options)
    path.unlink()
    return target


def found(result: MicrographResult) -> dict[tuple[str, str], tuple[float, float]]:
    return {(Path(result.names[p.first]).stem, Path(result.names[p.second]).stem): p.shift_px for p in result.pairs}


def unpaired(session: Planted, images: list[Path]) -> list[Path]:
    return [path for path in images if path.name not in {name for pair in session.pairs for name in pair}]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float16", "float32"])
@pytest.mark.parametrize(
    "options", [{}, {"compression": "lzw"}, {"compression": "zlib", "predictor": True}, {"tile": (32, 16)}, {"byteorder": ">"}]
)
def test_pixels_of_tiff_are_those_of_mrc(dtype: str, options: dict[str, object], tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 100, (50, 70)).astype(dtype)
    if dtype == "float16" and options.get("predictor"):
        options = {"compression": "zlib"}
    tifffile.imwrite(tmp_path / "a.tif", image[::-1], **options)
    opened = open_tiff(tmp_path / "a.tif")
    assert (opened.nx, opened.ny, opened.bytes) == (70, 50, image.nbytes)
    assert (opened.read() == image).all()


def test_shifts_of_tiff_have_the_sign_of_mrc(images: list[Path], expected: MicrographResult) -> None:
    for path in images:
        as_tiff(path, compression="lzw")
    result = find_duplicate_micrographs(images[0].parent, PARAMS)
    assert not result.unreadable
    assert found(result) == found(expected)


def test_tiff_and_mrc_are_compared_with_each_other(
    session: Planted, images: list[Path], expected: MicrographResult, command: Command
) -> None:
    for path in images[::2]:
        as_tiff(path)
    out = images[0].parent.parent / "out"
    ran = command("micrographs", images[0].parent, "--bin", BIN, "-o", out)
    assert ran.status == 0
    assert len((out / "micrographs_removed.txt").read_text().splitlines()) == len(session.pairs)
    assert found(find_duplicate_micrographs(images[0].parent, PARAMS)) == found(expected)


def test_resume_reads_no_tiff_again(
    images: list[Path], expected: MicrographResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in images[::2]:
        as_tiff(path)
    cache = tmp_path / "prepared.cache"
    find_duplicate_micrographs(images[0].parent, PARAMS, cache=cache)
    monkeypatch.setattr(Reading, "_prepared_tiff", None)
    assert found(find_duplicate_micrographs(images[0].parent, PARAMS, cache=cache, resume=True)) == found(expected)


def test_one_bad_tiff_does_not_stop_the_others(session: Planted, images: list[Path], expected: MicrographResult) -> None:
    spoiled = [as_tiff(path, compression="zlib") for path in unpaired(session, images)[:7]]
    short, damaged, text, colour, complex_one, movie, stack = spoiled
    short.write_bytes(short.read_bytes()[:-5000])
    raw = bytearray(damaged.read_bytes())
    start = open_offset(damaged)
    raw[start : start + 400] = bytes(400)
    damaged.write_bytes(raw)
    text.write_bytes(b"II*\0 and no more")
    tifffile.imwrite(colour, np.zeros((64, 64, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(complex_one, np.zeros((64, 64), np.complex64))
    tifffile.imwrite(movie, np.zeros((5, 64, 64), np.uint8), photometric="minisblack")
    tifffile.imwrite(stack, np.zeros((4, 64, 64), np.uint8), imagej=True)
    result = find_duplicate_micrographs(images[0].parent, PARAMS)
    reasons = {Path(result.names[i]): reason for i, reason in result.unreadable.items()}
    assert reasons.keys() == set(spoiled)
    assert "truncated" in reasons[short]
    assert "damaged TIFF" in reasons[damaged]
    assert "damaged TIFF" in reasons[text]
    assert "no colours" in reasons[colour]
    assert "expected real numbers" in reasons[complex_one]
    assert reasons[movie] == "found a movie of 5 frames, expected a motion-corrected micrograph"
    assert reasons[stack] == "found a movie of 4 frames, expected a motion-corrected micrograph"
    assert found(result).keys() == found(expected).keys()


def open_offset(path: Path) -> int:
    with tifffile.TiffFile(path) as file:
        return int(file.pages[0].dataoffsets[0])


def test_a_tiff_that_vanishes_while_it_is_read(
    images: list[Path], expected: MicrographResult, session: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, other = (as_tiff(path) for path in unpaired(session, images)[:2])
    read = Reading._prepared_tiff

    def spoil(self: Reading, i: int) -> object:
        gone.unlink(missing_ok=True)
        tifffile.imwrite(other, np.zeros((64, 64), np.float32))
        return read(self, i)

    monkeypatch.setattr(Reading, "_prepared_tiff", spoil)
    monkeypatch.setattr("cryodedup.micrographs.reading._TIFF_READERS", 1)
    result = find_duplicate_micrographs(images[0].parent, PARAMS)
    reasons = {Path(result.names[i]): reason for i, reason in result.unreadable.items()}
    assert reasons == {
        gone: "no such file or directory",
        other: "found (64, 64), expected (512, 720); was the file changed during the run?",
    }
    assert found(result).keys() == found(expected).keys()


def test_ctrl_c_while_tiff_files_are_read(images: list[Path], tmp_path: Path) -> None:
    for path in images:
        as_tiff(path)
    program = (
        "import os, signal, sys\nfrom cryodedup.cli import run\nfrom cryodedup.micrographs.reading import Reading\n"
        "read = Reading._prepared_tiff\n"
        "def slow(self, i):\n    print(i, flush=True)\n    os.kill(os.getpid(), signal.SIGINT)\n    return read(self, i)\n"
        "Reading._prepared_tiff = slow\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    arguments = ["micrographs", str(images[0].parent), "--bin", str(BIN), "-o", str(tmp_path / "out")]
    ran = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode in (130, -signal.SIGINT), ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(ran.stdout.split()) < len(images)
    assert not (tmp_path / "out" / "summary.json").exists()


@pytest.mark.parametrize(("package", "options", "message"), [
    ("tifffile", {}, "a.tif: found a TIFF file, which needs tifffile; pip install 'cryodedup[tiff]'"),
    ("imagecodecs", {"compression": "lzw"}, "a.tif: found LZW compression, which needs imagecodecs; pip install imagecodecs"),
])  # fmt: skip
def test_a_missing_package_is_one_line(package: str, options: dict[str, object], message: str, tmp_path: Path) -> None:
    for name in "ab":
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((64, 64), np.float32), **options)
    program = f"import sys\nsys.modules[{package!r}] = None\nfrom cryodedup.cli import run\nsys.exit(run(sys.argv[1:]))"
    arguments = ["micrographs", str(tmp_path), "--bin", "1", "-o", str(tmp_path / "out")]
    ran = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1)
    assert message in ran.stderr


def test_deflate_needs_no_imagecodecs(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((64, 64), np.uint8), compression="zlib")
    program = "import sys\nsys.modules['imagecodecs'] = None\nfrom pathlib import Path\nfrom cryodedup.formats.tiff import open_tiff\nprint(open_tiff(Path(sys.argv[1])).read().sum())"
    ran = subprocess.run([sys.executable, "-c", program, tmp_path / "a.tif"], capture_output=True, text=True, check=True)
    assert ran.stdout == "4096.0\n"


@pytest.mark.parametrize(("name", "message"), [
    ("a.eer", "found an EER movie, expected a motion-corrected micrograph"),
    ("a.gain", "found a gain reference, expected a motion-corrected micrograph"),
    ("a.mrcs", "found a movie or a stack (3 sections), expected one motion-corrected micrograph"),
    ("a.mrc", "found a movie or a stack (3 sections), expected one motion-corrected micrograph"),
    ("a.tif", "found a movie of 3 frames, expected a motion-corrected micrograph"),
    ("a.TIFF", "found a movie of 3 frames, expected a motion-corrected micrograph"),
])  # fmt: skip
def test_movies_are_refused_as_movies(name: str, message: str, command: Command, tmp_path: Path) -> None:
    frames = np.zeros((3, 64, 64), np.float32)
    for path in (tmp_path / name, tmp_path / f"b{name}"):
        if path.suffix.startswith(".mrc"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the ending .mrcs
                write_mrc(path, frames)
        else:
            tifffile.imwrite(path, frames, photometric="minisblack")
    for given in (tmp_path / name, tmp_path, f"{tmp_path}/*"):
        ran = command("micrographs", given, "--bin", 1, "-o", tmp_path / "out")
        assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
        assert f"{tmp_path / name}: {message}" in ran.err
        assert ("none of 2 micrographs can be used" in ran.err) == (given != tmp_path / name)


def test_an_eer_movie_under_the_name_of_an_image(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((2, 64, 64), np.uint8), photometric="minisblack", compression="zlib", bigtiff=True)
    raw = path.read_bytes()
    code = (259).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(8, "little")
    path.write_bytes(raw.replace(code + (8).to_bytes(2, "little"), code + (65001).to_bytes(2, "little")))
    with pytest.raises(InputError, match="found an EER movie of 2 frames"):
        open_image(path)


def test_movies_beside_micrographs_are_left_alone(images: list[Path], expected: MicrographResult) -> None:
    images[0].with_suffix(".eer").write_bytes(b"II+\0")
    images[0].with_suffix(".mrcs").write_bytes(b"particles")
    assert found(find_duplicate_micrographs(images[0].parent, PARAMS)) == found(expected)


def test_one_micrograph_in_two_formats_is_refused(images: list[Path], command: Command, tmp_path: Path) -> None:
    tifffile.imwrite(images[3].with_suffix(".tif"), np.zeros((3, 64, 64), np.uint8), photometric="minisblack")
    for given in (images[0].parent, f"{images[0].parent}/*"):
        ran = command("micrographs", given, "--bin", BIN, "-o", tmp_path / "out")
        assert (ran.status, len(ran.err.splitlines())) == (2, 1)
        assert f"found {images[3].name} and {images[3].stem}.tif, expected each micrograph in one format" in ran.err
        assert f"select one format by a pattern, such as '{images[0].parent}/*.mrc'" in ran.err
    assert command("micrographs", f"{images[0].parent}/*.mrc", "--bin", BIN, "-o", tmp_path / "out", "--no-report").status == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float16", "tif"])
def test_up_to_one_percent_of_missing_pixels_are_masked(
    value: float, dtype: str, session: Planted, images: list[Path], expected: MicrographResult
) -> None:
    spoiled = next(path for path in images if path.name == next(iter(session.pairs))[1])
    image = mrcfile.read(spoiled).astype(np.float32)
    image[:, 100] = value
    image[300:330, 400:450] = value
    write_mrc(spoiled, image.astype(np.float16 if dtype == "float16" else np.float32))
    if dtype == "tif":
        spoiled = as_tiff(spoiled)
    result = find_duplicate_micrographs(images[0].parent, PARAMS)
    masked = 512 + 30 * 50
    assert {result.names[i]: count for i, count in result.masked.items()} == {str(spoiled): masked}
    assert result.summary()["masked"] == [{"micrograph": str(spoiled), "pixels": masked}]
    assert not result.unreadable
    assert found(result).keys() == found(expected).keys()
    assert all(np.abs(np.subtract(shift, found(expected)[pair])).max() <= BIN for pair, shift in found(result).items())
    (warning,) = (warning for warning in result.warnings if "NaN" in warning)
    assert warning == (
        f"1 micrograph has NaN or infinite pixels: 2,012 (0.55 %) in {spoiled}; these pixels were replaced by the mean of the pixels around them"
    )


def test_more_missing_pixels_make_a_micrograph_unreadable(session: Planted, images: list[Path], tmp_path: Path) -> None:
    spoiled = unpaired(session, images)[0]
    image = mrcfile.read(spoiled).astype(np.float32)
    image.flat[: image.size // 100 + 1] = np.nan
    write_mrc(spoiled, image)
    for resume in (False, True):
        result = find_duplicate_micrographs(images[0].parent, PARAMS, cache=tmp_path / "cache", resume=resume)
        assert list(result.unreadable.values()) == ["found 3,687 NaN or infinite pixels, expected at most 3,686 (1 % of all)"]
        assert not result.masked


def with_pixel_sizes(images: list[Path], sizes_a: Callable[[int], float]) -> None:
    for k, path in enumerate(images):
        write_mrc(path, mrcfile.read(path), sizes_a(k))


def test_other_pixel_sizes_are_not_compared(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    half = len(images) // 2
    with_pixel_sizes(images, lambda k: 1.06 if k < half else 1.32)
    result = find_duplicate_micrographs(images[0].parent, PARAMS)
    first = {path.stem for path in images[:half]}
    within = {tuple(name.removesuffix(".mrc") for name in pair) for pair in session.pairs}
    assert found(result).keys() == {pair for pair in within if (pair[0] in first) == (pair[1] in first)}
    assert [len(compared.members) for compared in result.compared] == [len(images) - half, half]
    examples = [next(name for name in result.names if (Path(name).stem in first) == early) for early in (False, True)]
    ran = command("micrographs", images[0].parent, "--bin", BIN, "-o", tmp_path / "out", "--no-report")
    assert re.search(
        rf"warning: micrographs of 720 x 512 pixels have 2 pixel sizes \({len(images) - half} of 1\.32 Å \(such as \S+\),"
        rf" {half} of 1\.06 Å \(such as \S+\)\): those that differ by more than 1 % are not compared",
        ran.out,
    )
    assert all(Path(example).exists() for example in examples)


def test_a_small_change_of_magnification_is_compared(images: list[Path], expected: MicrographResult) -> None:
    with_pixel_sizes(images, lambda k: 1.06 if k % 2 else 1.0695)
    result = find_duplicate_micrographs(images[0].parent, PARAMS)
    assert (found(result), result.warnings) == (found(expected), ())


@pytest.mark.parametrize("unset_a", [0.0, 1.0])
def test_unknown_pixel_sizes_are_compared_and_reported(unset_a: float, images: list[Path], expected: MicrographResult) -> None:
    with_pixel_sizes(images, lambda k: unset_a if k in (3, 5) else 1.06)
    result = find_duplicate_micrographs(images[0].parent, PARAMS)
    assert found(result) == found(expected)
    (warning,) = result.warnings
    assert warning.startswith("micrographs without a known pixel size (missing, 0 or exactly 1 Å: 2, such as ")
    assert f"are compared with the {len(images) - 2} of 1.06 Å" in warning


def test_the_table_gives_the_pixel_size(session: Planted, images: list[Path], expected: MicrographResult, tmp_path: Path) -> None:
    with_pixel_sizes(images, lambda k: 2.0 + k)  # headers that a program left wrong
    group = {path: 1 + (k >= len(images) // 2) for k, path in enumerate(images)}
    star = tmp_path / "micrographs.star"
    rows = "".join(f"{path} {number}\n" for path, number in group.items())
    table = f"data_micrographs\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n{rows}\n"
    for sizes, classes in (((0.83, 0.83), 1), ((0.83, 1.1), 2)):
        optics = "".join(f"{number + 1} {size}\n" for number, size in enumerate(sizes))
        star.write_text(f"data_optics\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n{optics}\n{table}")
        result = find_duplicate_micrographs(star, PARAMS)
        assert len(result.compared) == classes
        assert set(result.pixel_sizes_a) == set(sizes)
        assert (found(result) == found(expected)) == (classes == 1)
    records = np.zeros(len(images), [("uid", "u8"), ("micrograph_blob/path", "S200"), ("micrograph_blob/psize_A", "f4")])
    records["uid"] = np.arange(len(images)) + 1
    records["micrograph_blob/path"] = [str(path).encode() for path in images]
    records["micrograph_blob/psize_A"] = [0.83 if number == 1 else 1.1 for number in group.values()]
    with (tmp_path / "exposures.cs").open("wb") as file:
        np.save(file, records)
    assert len(find_duplicate_micrographs(tmp_path / "exposures.cs", PARAMS).compared) == 2

"""Files of micrographs: every form that is read, every fault that is named, the cache, and what is written."""

from __future__ import annotations

import bz2
import csv
import fcntl
import gzip
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import mrcfile
import numpy as np
import pytest

from cases import Ran, needs_shared
from cryodedup import InputError, MicrographParams, correlate, find_duplicate_micrographs, prepare
from cryodedup.demo.micrographs import BIN, Planted, make_micrographs
from cryodedup.errors import InUseError
from cryodedup.formats.image_names import power_spectra
from cryodedup.micrographs.acquisition import acquisition_of, acquisitions_of, sort
from cryodedup.micrographs.cache_file import locked
from cryodedup.micrographs.exposures import listed

Command = Callable[..., Ran]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make_micrographs(tmp_path_factory.mktemp("session"))


@pytest.fixture
def images(session: Planted, tmp_path: Path) -> list[Path]:
    """Copies of the session's images that may be spoiled, in order of exposure."""
    shutil.copytree(session.star.parent / "Micrographs", tmp_path / "Micrographs")
    return sorted((tmp_path / "Micrographs").iterdir(), key=lambda path: path.name[-10:])


def write(path: Path, image: np.ndarray, pixel_size_a: float | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN pixels are written on purpose
        with mrcfile.new(path, overwrite=True) as file:
            file.set_data(image)
            if pixel_size_a is not None:
                file.voxel_size = pixel_size_a
    return path


def pairs_of(result: object) -> set[tuple[str, str]]:
    return {(Path(result.names[p.first]).name, Path(result.names[p.second]).name) for p in result.pairs}  # type: ignore[attr-defined]


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32", "float16", "big-endian", "gz", "bz2", "section", "extended"])
def test_every_mode_and_packing(dtype: str, session: Planted, images: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for path in images:
        data = mrcfile.read(path).astype(np.float32)
        target = folder / path.name
        if dtype == "int8":
            write(target, np.clip((data - 550) / 3, -127, 127).astype(np.int8))
        elif dtype == "big-endian":
            write(target, data)
            raw = bytearray(target.read_bytes())
            header = np.frombuffer(bytes(raw[:1024]), "<i4").byteswap().tobytes()
            swapped = bytearray(header)
            swapped[104:108], swapped[208:212], swapped[212:216] = raw[104:108], raw[208:212], b"\x11\x11\x00\x00"
            target.write_bytes(bytes(swapped) + np.frombuffer(bytes(raw[1024:]), "<f4").astype(">f4").tobytes())
        elif dtype == "gz":
            (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        elif dtype == "bz2":
            (folder / f"{path.name}.bz2").write_bytes(bz2.compress(path.read_bytes(), 1))
        elif dtype == "section":
            write(target, data[None])
        elif dtype == "extended":
            with mrcfile.new(target) as file:
                file.set_data(data)
                file.set_extended_header(np.zeros(3072, "S1"))
        else:
            write(target, data.astype(dtype))
    result = find_duplicate_micrographs(folder, MicrographParams(bin=BIN))
    assert not result.unreadable
    strip = {(a.removesuffix(".gz").removesuffix(".bz2"), b.removesuffix(".gz").removesuffix(".bz2")) for a, b in pairs_of(result)}
    assert strip == set(session.pairs)


def test_bad_images_are_named_and_the_rest_goes_on(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    spoiled = [path for path in images if path.name not in {name for pair in session.pairs for name in pair}]
    blank, nan, short, other, none, stack, rgb = spoiled[:7]
    size = mrcfile.read(blank).shape
    write(blank, np.zeros(size, np.float32))
    missing = mrcfile.read(nan).astype(np.float32)
    missing[: round(0.02 * size[0])] = np.nan
    write(nan, missing)
    short.write_bytes(short.read_bytes()[:5000])
    write(other, np.random.default_rng(1).normal(size=(300, 400)).astype(np.float32))
    none.write_bytes(b"not an image")
    write(stack, np.zeros((3, *size), np.float32))
    write(rgb, np.zeros(size, np.complex64))
    ran = command("micrographs", images[0].parent, "--bin", BIN, "-o", tmp_path / "out")
    assert ran.status == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    reasons = {Path(entry["micrograph"]).name: entry["reason"] for entry in summary["unreadable"]}
    assert reasons.keys() == {path.name for path in (blank, nan, short, none, stack, rgb)}
    assert reasons[blank.name] == "blank: all pixels have the same value"
    assert reasons[nan.name] == "found 7,200 NaN or infinite pixels, expected at most 3,686 (1 % of all)"
    assert "truncated" in reasons[short.name]
    assert "mode 4" in reasons[rgb.name]
    assert "3 sections" in reasons[stack.name]
    assert "only micrographs of the same size are compared" in ran.out
    with (tmp_path / "out" / "duplicates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(Path(row["Original"]).name, Path(row["Duplicate"]).name) for row in rows} == set(session.pairs)
    kept = (tmp_path / "out" / "micrographs_kept.txt").read_text().splitlines()
    assert {str(path) for path in (blank, nan, short, none, other)} <= set(kept)


def test_truncated_compressed_images(images: list[Path], session: Planted) -> None:
    path = next(path for path in images if path.name not in {name for pair in session.pairs for name in pair})
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:50_000])
    path.unlink()
    result = find_duplicate_micrographs(path.parent, MicrographParams(bin=BIN))
    assert [result.names[i] for i in result.unreadable] == [str(packed)]
    assert pairs_of(result) == set(session.pairs)


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_compression_that_fails_its_checksum(pack: Callable[[bytes], bytes], suffix: str, images: list[Path]) -> None:
    packed = bytearray(pack(images[0].read_bytes()))
    packed[-6] ^= 0x55
    images[0].with_name("damaged.mrc" + suffix).write_bytes(packed)
    result = find_duplicate_micrographs(images[0].parent, MicrographParams(bin=BIN))
    (reason,) = result.unreadable.values()
    assert reason.startswith("found damaged compression")


def test_star_of_relion_3_and_names_with_blanks_and_equal_names(session: Planted, images: list[Path], tmp_path: Path) -> None:
    folders = [tmp_path / "grid 1", tmp_path / "grid 2"]
    for folder in folders:
        folder.mkdir()
    rows = []
    for number, path in enumerate(images):
        target = folders[number % 2] / f"{number // 2} a.mrc"
        shutil.move(path, target)
        rows.append((f'"{target}"', 3.0 + number % 3))
    star = tmp_path / "old.star"
    lines = "".join(f"{name} {ctf:.2f}\n" for name, ctf in rows)
    star.write_text(f"data_\n\nloop_\n_rlnMicrographName #1\n_rlnCtfMaxResolution #2\n{lines}\n# the end\n")
    place = {path.name: rows[i][0].strip('"') for i, path in enumerate(images)}
    expected = {frozenset((place[a], place[b])) for a, b in session.pairs}
    result = find_duplicate_micrographs(star, MicrographParams(bin=BIN, order="input", keep="best-ctf"))
    assert {frozenset((result.names[p.first], result.names[p.second])) for p in result.pairs} == expected
    assert all(result.exposures.ctf_a[p.first] <= result.exposures.ctf_a[p.second] for p in result.pairs)
    result.write(tmp_path / "out")
    kept, removed = ((tmp_path / "out" / f"micrographs_{word}.star").read_text() for word in ("kept", "removed"))
    assert all((line in kept) != (line in removed) for line in lines.splitlines())
    assert kept.endswith("# the end\n")
    assert sorted(line.split('"')[1] for line in removed.splitlines() if line.startswith('"')) == sorted(
        (tmp_path / "out" / "micrographs_removed.txt").read_text().splitlines()
    )


def test_exposures_of_cryosparc(session: Planted, images: list[Path], tmp_path: Path) -> None:
    fields = [("uid", "<u8"), ("micrograph_blob/path", "S120"), ("micrograph_blob/psize_A", "<f4"), ("ctf_stats/ctf_fit_to_A", "<f4")]
    records = np.zeros(len(images), fields)
    records["uid"] = np.arange(len(images)) + 5
    records["micrograph_blob/path"] = [f">Micrographs/{path.name}".encode() for path in images]
    records["ctf_stats/ctf_fit_to_A"] = np.arange(len(images))[::-1] + 3
    job = tmp_path / "J7"
    job.mkdir()
    with (job / "exposures.cs").open("wb") as file:
        np.save(file, records)
    result = find_duplicate_micrographs(job / "exposures.cs", MicrographParams(bin=BIN, keep="best-ctf"))
    assert {(b, a) for a, b in pairs_of(result)} == set(session.pairs)
    result.write(tmp_path / "out")
    kept, removed = (np.load(tmp_path / "out" / f"micrographs_{word}.cs") for word in ("kept", "removed"))
    assert (kept == records[result.kept]).all()
    assert (removed == records[~result.kept]).all()
    assert "exposure.micrograph_blob" in (tmp_path / "out" / "micrographs_kept.csg").read_text()


def test_a_pattern_of_names(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    ran = command("micrographs", f"{images[0].parent}/*.mrc", "--bin", BIN, "-o", tmp_path / "out", "-q")
    assert (ran.status, ran.out) == (0, "")


def test_the_cache_saves_reading_and_its_damage_is_noticed(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("micrographs", images[0].parent, "--bin", BIN, "-o", out)
    assert command(*arguments).status == 0
    listing = (out / "duplicates.csv").read_bytes()
    cache = out / "prepared.cache"
    whole = cache.read_bytes()
    # The pixels are gone, but headers and times are as they were: nothing is read again.
    for path in images:
        stat = path.stat()
        raw = path.read_bytes()
        path.write_bytes(raw[:1024] + bytes(len(raw) - 1024))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    ran = command(*arguments, "--resume", "--overwrite", "--fdr", "0.02")
    assert ran.status == 0
    assert "damaged" not in ran.out
    assert (out / "duplicates.csv").read_bytes() == listing
    assert cache.read_bytes() == whole
    # A damaged record is read anew, and so is one that was cut off.
    for damaged in (whole[:500] + b"\xff" + whole[501:], whole[: len(whole) // 2]):
        cache.write_bytes(damaged)
        ran = command(*arguments, "--resume", "--overwrite")
        assert (ran.status, f"warning: {cache}: the cache was damaged; the lost part was read again" in ran.out) == (0, True)
        summary = json.loads((out / "summary.json").read_text())
        assert summary["unreadable"]
        assert "damaged" not in command(*arguments, "--resume", "--overwrite").out
        assert all(entry["reason"].startswith("blank") for entry in summary["unreadable"])
    assert command(*arguments).status == 2


def test_power_spectra_beside_micrographs_are_left_out(images: list[Path]) -> None:
    """RELION writes x_PS.mrc beside x.mrc; they all look alike."""
    folder = images[0].parent
    found = find_duplicate_micrographs(folder, MicrographParams(bin=BIN))
    alike = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    for path in images[:12]:
        with mrcfile.new(path.with_name(f"{path.stem}_PS.mrc")) as file:
            file.set_data(alike)
    with_spectra = find_duplicate_micrographs(folder, MicrographParams(bin=BIN))
    assert [*with_spectra.exposures.paths] == [*found.exposures.paths]
    assert [(pair.first, pair.second) for pair in with_spectra.pairs] == [(pair.first, pair.second) for pair in found.pairs]
    assert [text for text in with_spectra.warnings if text not in found.warnings] == [
        "12 files whose names end in _PS.mrc were left out: RELION's motion correction gives such names to power spectra; if these are"
        " micrographs, give a table of them, or a pattern that matches only these files"
    ]
    assert listed([folder]) == [*found.exposures.paths]
    assert len(listed([folder / "*_PS.mrc"])) == 12  # none lies beside its micrograph: these are names of users


@pytest.mark.parametrize(
    ("names", "spectra"),
    [
        (["a/x.mrc", "a/x_PS.mrc", "a/y_PS.mrc"], {"a/x_PS.mrc", "a/y_PS.mrc"}),  # y.mrc is still to come
        (["a/x_PS.mrc", "a/x_PS_PS.mrc"], {"a/x_PS_PS.mrc"}),
        (["a/x.mrc", "a/x_PS.mrc", "b/y_PS.mrc"], {"a/x_PS.mrc"}),
        (["a/x_PS.mrc", "b/x.mrc"], set()),
        (["a/x.mrc", "a/x_PS.mrc.gz", "a/xPS.mrc", "a/x_ps.mrc"], set()),
    ],
)
def test_what_is_a_power_spectrum(names: list[str], spectra: set[str]) -> None:
    assert power_spectra(map(Path, names)) == set(map(Path, spectra))


def test_two_runs_do_not_share_a_cache(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with (out / "prepared.cache.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ran = command("micrographs", images[0].parent, "--bin", BIN, "-o", out)
    assert ran.status == 2
    assert (
        f"{out / 'prepared.cache'}: another run uses this file; wait until that run ends, or choose another output directory for this one"
        in ran.err
    )
    assert command("micrographs", images[0].parent, "--bin", BIN, "-o", out).status == 0
    assert not (out / "prepared.cache.lock").exists()


def test_a_lock_that_another_run_removes_in_between_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other run ends after this one has opened the file of the lock: a third one would not see that lock."""
    cache, flock, calls = tmp_path / "prepared.cache", fcntl.flock, iter(range(100))

    def late(file: BinaryIO, operation: int) -> None:
        if next(calls) == 0:
            (tmp_path / "prepared.cache.lock").unlink()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(cache), pytest.raises(InUseError), locked(cache):
        pass
    assert not (tmp_path / "prepared.cache.lock").exists()


def test_a_wild_pixel_spoils_its_own_image_only(session: Planted, images: list[Path]) -> None:
    wild = images[len(images) // 2 + 1]
    before = find_duplicate_micrographs(images, MicrographParams(bin=BIN))
    for value in (1e6, 1e12):
        with mrcfile.open(wild, "r+") as file:
            pixels = file.data.astype(np.float32)
            pixels[100, 100] = value
            file.set_data(pixels)
        after = find_duplicate_micrographs(images, MicrographParams(bin=BIN))
        pairs = [
            {
                (found.names[p.first], found.names[p.second])
                for p in found.pairs
                if str(wild) not in (found.names[p.first], found.names[p.second])
            }
            for found in (before, after)
        ]
        assert pairs[0] == pairs[1]


def test_a_file_that_changed_is_read_again(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    """The screener uses stale files."""
    out = tmp_path / "out"
    arguments = ("micrographs", images[0].parent, "--bin", BIN, "-o", out)
    assert command(*arguments).status == 0
    write(images[3], np.zeros(mrcfile.read(images[3]).shape, np.float32))
    assert command(*arguments, "--resume", "--overwrite").status == 0
    unreadable = json.loads((out / "summary.json").read_text())["unreadable"]
    assert [entry["micrograph"] for entry in unreadable] == [str(images[3])]


def test_a_missing_image_loses_only_its_own_pairs(session: Planted, images: list[Path]) -> None:
    """With the screener one that is missing shifts all holes after it."""
    gone = next(path for path in images if path.name not in {name for pair in session.pairs for name in pair})
    gone.unlink()
    assert pairs_of(find_duplicate_micrographs(gone.parent, MicrographParams(bin=BIN))) == set(session.pairs)


def test_an_unreadable_image_does_not_shift_the_window(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    names = [path.name for path in images]
    distances = sorted({names.index(b) - names.index(a) for a, b in session.pairs})
    one, two = next(pair for pair in session.pairs if names.index(pair[1]) - names.index(pair[0]) == distances[-1])
    between = next(
        path
        for path in images[names.index(one) + 1 : names.index(two)]
        if path.name not in {name for pair in session.pairs for name in pair}
    )
    between.write_bytes(b"nothing")
    window = {"search": "window", "images_per_move": distances[-1], "images_per_hole": 100, "scan_range": distances[-1]}
    result = find_duplicate_micrographs(between.parent, MicrographParams(bin=BIN, **window))
    assert (one, two) in pairs_of(result)
    assert {names.index(b) - names.index(a) for a, b in pairs_of(result)} == {distances[-1]}
    result.write(tmp_path / "out")
    with (tmp_path / "out" / "ccc.csv").open() as file:
        listed = {Path(row["Micrograph"]).name: row[f"+{distances[-1]}"] for row in csv.DictReader(file)}
    assert {one} <= {name for name, ccc in listed.items() if ccc and float(ccc) > 0.1}


def test_a_window_without_pairs(session: Planted, command: Command, tmp_path: Path) -> None:
    ran = command("micrographs", session.star, "--bin", BIN, "--images-per-move", 60, "-o", tmp_path / "out")
    assert (ran.status, ran.err) == (0, "")
    assert "warning: no pair of micrographs lies within the window" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bin", "0"], "bin: found 0, expected a whole number from 1 to 64"),
        (["--bin", "1000"], "bin: found 1000, expected a whole number from 1 to 64"),
        (["--lowpass", "0.7,0.05"], "cycles per reduced pixel, from 0 to 0.5 (Nyquist)"),
        (["--lowpass", "0.01,0.05"], "--lowpass and --highpass: found 0.01 and 0.04, expected the lowpass above the highpass"),
        (["--highpass", "a"], "found 'a', expected numbers separated by a comma"),
        (["--fdr", "0"], "fdr: found 0.0, expected a number, more than 0 and less than 1"),
        (["--threshold", "2"], "threshold: found 2.0, expected a number, from -1 to 1"),
        (["--fdr", "0.05", "--threshold", "0.2"], "found --fdr and --threshold, expected one of them"),
        (["--search", "all", "--scan-range", "9"], "--scan-range: found 9 with --search all"),
        (["--images-per-hole", "0"], "--images-per-hole: found 0"),
        (["--keep", "best-ctf"], "found no rlnCtfMaxResolution"),
        (["--order", "time"], ""),
    ],
)
def test_wrong_options_are_one_line(arguments: list[str], message: str, session: Planted, command: Command, tmp_path: Path) -> None:
    ran = command("micrographs", session.star, "--bin", BIN, "-o", tmp_path / "out", *arguments)
    assert (ran.status, ran.out) == ((2, "") if message else (0, ran.out))
    assert message in ran.err
    assert len(ran.err.splitlines()) == (1 if message else 0)
    assert not message or not (tmp_path / "out").exists() or not (tmp_path / "out" / "summary.json").exists()


def test_wrong_inputs_are_one_line(session: Planted, command: Command, tmp_path: Path) -> None:
    def fails(text: str, *inputs: object) -> None:
        ran = command("micrographs", *inputs, "--bin", BIN, "-o", tmp_path / "out")
        assert ran.status == 2
        assert text in ran.err
        assert len(ran.err.splitlines()) == 1
        assert not (tmp_path / "out").exists()

    star = tmp_path / "x.star"
    star.write_text("data_\nloop_\n_rlnImageName #1\n1@a.mrcs\n")
    fails("found no column rlnMicrographName", star)
    star.write_text("data_micrographs\nloop_\n_rlnMicrographName #1\ngone/a.mrc\ngone/b.mrc\n")
    fails("2 of 2 micrographs are missing: gone/a.mrc, gone/b.mrc", star)
    star.write_text("data_particles\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\na.mrc 1 2\n")
    fails("found particles, expected micrographs", star)
    first = next((session.star.parent / "Micrographs").iterdir())
    star.write_text(f"data_micrographs\nloop_\n_rlnMicrographName #1\n{first}\n{first}\n")
    fails("twice", star)
    fails("found no .mrc or .tif files", f"{tmp_path}/nothing*.mrc")
    (tmp_path / "empty").mkdir()
    fails("found no .mrc or .tif files", tmp_path / "empty")
    fails("no such file", tmp_path / "gone.star")
    fails("1 of 1 micrograph is missing", tmp_path / "gone.mrc")
    header_only = tmp_path / "short.mrc"
    header_only.write_bytes(first.read_bytes()[:2048])
    fails("is it truncated?", header_only)
    complex_one = write(tmp_path / "c.mrc", np.zeros((64, 64), np.complex64))
    fails("found mode 4, expected 0 int8", complex_one)
    fails("none of 2 micrographs can be used", header_only, complex_one)
    fails("found an empty INPUT", "")
    star.write_text("data_micrographs\nloop_\n_rlnMicrographName #1\n000001@a.mrcs\n")
    fails("expected names of micrographs", star)
    fails("found a table among 2 inputs", session.star, first)
    for fields, text in (
        ([("micrograph_blob/path", "S9")], "found no field uid"),
        ([("uid", "u8"), ("micrograph_blob/path", "f4")], "expected text"),
    ):
        with (tmp_path / "x.cs").open("wb") as file:
            np.save(file, np.zeros(2, fields))
        fails(text, tmp_path / "x.cs")


def test_what_is_no_cache_of_ours_is_moved_not_lost(session: Planted, command: Command, tmp_path: Path) -> None:
    cache = tmp_path / "out" / "prepared.cache"
    cache.parent.mkdir()
    cache.write_text("precious, and not ours")
    ran = command("micrographs", session.star, "--bin", BIN, "-o", cache.parent)
    (moved,) = cache.parent.glob("prepared.cache.found-*")
    assert moved.read_text() == "precious, and not ours"
    assert f"warning: {cache}: found a file of another kind, or a cache damaged at its start; it was moved to {moved}" in ran.out
    with pytest.raises(InputError, match="found a file of another kind, expected a cache of prepared micrographs, or no file"):
        find_duplicate_micrographs(session.star, cache=moved)
    assert moved.read_text() == "precious, and not ours"


def test_outputs_are_checked_before_anything_is_read(session: Planted, command: Command, tmp_path: Path) -> None:
    star = tmp_path / "micrographs_kept.star"
    star.write_text("data_micrographs\nloop_\n_rlnMicrographName #1\ngone.mrc\n")
    ran = command("micrographs", star, "--bin", BIN, "--overwrite", "-o", tmp_path)
    assert (ran.status, f"{star}: found an input, which an output would replace" in ran.err) == (2, True)
    (tmp_path / "root").symlink_to("/")
    for root in ("/", "/..", tmp_path / "root"):
        ran = command("micrographs", star, "-o", root)
        assert (ran.status, "found the root of the file system" in ran.err) == (2, True)


def test_names_are_looked_up_where_most_are_found(
    session: Planted, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    star = tmp_path / "CtfFind" / "micrographs.star"
    star.parent.mkdir()
    star.write_text("data_micrographs\nloop_\n_rlnMicrographName #1\n" + "".join(f"Micrographs/{path.name}\n" for path in images))
    other = tmp_path / "other"
    (other / "Micrographs").mkdir(parents=True)
    monkeypatch.chdir(other)
    params = MicrographParams(bin=BIN)
    for path in images[:10]:
        shutil.copy(path, other / "Micrographs")
    result = find_duplicate_micrographs(star, params)
    assert result.summary()["looked_up_from"] == str(tmp_path)
    assert not any("looked up" in warning for warning in result.warnings)
    for path in images[10:]:
        shutil.copy(path, other / "Micrographs")
    result = find_duplicate_micrographs(star, params)
    assert result.summary()["looked_up_from"] == str(other)
    assert (
        f"image names are relative to {other}, but all files also exist in {tmp_path}; check that the first directory is the right one"
        in result.warnings
    )


def test_a_broken_link_in_a_folder_is_an_unreadable_image(session: Planted, images: list[Path]) -> None:
    images[0].with_name("gone.mrc").symlink_to("nowhere.mrc")
    result = find_duplicate_micrographs(images[0].parent, MicrographParams(bin=BIN))
    assert list(result.unreadable.values()) == ["no such file or directory"]
    assert pairs_of(result) == set(session.pairs)


def test_only_what_the_same_command_wrote_is_replaced(session: Planted, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "particles_kept.star").write_text("precious")
    (out / "summary.json").write_text('{"schema": "cryodedup.particles/1", "outputs": ["particles_kept.star"]}')
    arguments = ("micrographs", session.star, "--bin", BIN, "-o", out, "--overwrite")
    assert command(*arguments).status == 0
    assert (out / "particles_kept.star").read_text() == "precious"
    (out / "duplicates.csv").unlink()
    (out / "duplicates.csv").mkdir()
    ran = command(*arguments)
    assert (ran.status, f"{out / 'duplicates.csv'}: found a file that no earlier run of this command wrote" in ran.err) == (2, True)


def test_names_in_capitals(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    for path in images:
        path.rename(path.with_suffix(".MRC"))
    found = {
        tuple(name.replace(".MRC", ".mrc") for name in pair)
        for pair in pairs_of(find_duplicate_micrographs(images[0].parent, MicrographParams(bin=BIN)))
    }
    assert found == set(session.pairs)


def test_a_ctf_that_is_not_known_is_told(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    star = tmp_path / "ctf.star"
    rows = "".join(f"{path} {'nan' if k % 7 == 0 else 4 + k / 10}\n" for k, path in enumerate(images))
    star.write_text("data_micrographs\nloop_\n_rlnMicrographName #1\n_rlnCtfMaxResolution #2\n" + rows)
    ran = command("micrographs", star, "--bin", BIN, "--keep", "best-ctf", "-o", tmp_path / "out")
    unknown = len(range(0, len(images), 7))
    assert (
        f"warning: {unknown} of {len(images)} micrographs have no CTF resolution: in each set, micrographs that have one are preferred"
        in ran.out
    )
    removed = (tmp_path / "out" / "micrographs_removed.txt").read_text().splitlines()
    pairs = pairs_of(find_duplicate_micrographs(star, MicrographParams(bin=BIN, keep="best-ctf")))
    ctf = {path.name: np.inf if k % 7 == 0 else 4 + k / 10 for k, path in enumerate(images)}
    assert pairs
    assert all(ctf[stays] <= ctf[goes] for stays, goes in pairs)
    assert {Path(name).name for name in removed} == {goes for _, goes in pairs}


def test_much_reduced_micrographs_are_warned_about(session: Planted, command: Command, tmp_path: Path) -> None:
    ran = command("micrographs", session.star, "--bin", 8, "-o", tmp_path / "out")
    assert "the micrographs have only 90 x 64 pixels after binning: such small images contain little information" in ran.out


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MicrographParams(fdr=None), "fdr: found None"),  # type: ignore[arg-type]
        (lambda: MicrographParams(search="all", scan_range=5), 'scan_range: found 5 with search="all", expected search="window"'),
        (lambda: find_duplicate_micrographs("x", {"bin": 2}), "params: found dict, expected MicrographParams"),  # type: ignore[arg-type]
        (lambda: find_duplicate_micrographs(None), "micrographs: found None, expected one path or several paths"),  # type: ignore[arg-type]
        (lambda: find_duplicate_micrographs(["a", 3]), "micrographs: found 3, expected one path or several paths"),  # type: ignore[list-item]
        (lambda: prepare(np.zeros((32, 32), complex)), "image: found complex128, expected an array of real numbers"),
        (lambda: prepare("text"), "image: found str, expected an array of real numbers"),
        (lambda: prepare(None), "image: found NoneType, expected an array of real numbers"),  # type: ignore[arg-type]
        (lambda: prepare(np.zeros((8, 8))), "expected at least two bins"),
        (lambda: prepare(np.zeros((32, 32)), {"bin": 2}), "params: found dict"),  # type: ignore[arg-type]
        (lambda: correlate(np.eye(9), np.eye(9), max_shift_px=-1), "max_shift_px: found -1"),
        (lambda: correlate(np.eye(9), np.eye(9), max_shift_px=np.nan), "max_shift_px: found nan"),
    ],
)
def test_wrong_arguments_of_the_api(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        call()


def test_a_window_is_chosen_by_its_numbers() -> None:
    assert [params.by_window for params in (MicrographParams(), MicrographParams(scan_range=5), MicrographParams(search="window"))] == [
        False,
        True,
        True,
    ]


def test_special_files_are_refused(session: Planted, images: list[Path], command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (out / "prepared.cache").symlink_to(victim)
    ran = command("micrographs", session.star, "--bin", BIN, "-o", out)
    assert ran.status == 2
    assert "found a folder, a link or a device, expected a file" in ran.err
    assert victim.read_text() == "precious"
    (out / "prepared.cache").unlink()
    os.mkfifo(out / "prepared.cache")
    assert command("micrographs", session.star, "--bin", BIN, "-o", out, "--resume").status == 2
    os.mkfifo(images[0].with_name("pipe.mrc"))
    result = find_duplicate_micrographs(images[0].parent, MicrographParams(bin=BIN))
    assert list(result.unreadable.values()) == ["found no regular file, expected an image"]
    assert pairs_of(result) == set(session.pairs)


def test_many_copies_of_one_frame(images: list[Path]) -> None:
    for k in range(9):
        shutil.copy(images[0], images[0].with_name(f"copy{k}.mrc"))
    for path in images[1:]:
        path.unlink()
    result = find_duplicate_micrographs(images[0].parent, MicrographParams(bin=BIN))
    assert (result.pairs, result.kinds, int(result.kept.sum()), result.withheld) == ((), {"same file": 9}, 1, None)


def test_sessions_of_two_gain_references_in_one_folder(tmp_path: Path) -> None:
    (folder := tmp_path / "all").mkdir()
    planted = set()
    for seed in (1, 2):
        session = make_micrographs(tmp_path / str(seed), seed=seed)
        gain: Any = None
        for image in sorted((tmp_path / str(seed) / "Micrographs").iterdir()):
            data = mrcfile.read(image)
            gain = 1 + 0.02 * np.random.default_rng(seed).standard_normal(data.shape, np.float32) if gain is None else gain
            mrcfile.write(folder / f"{seed}_{image.name}", data * gain)
        planted |= {(f"{seed}_{first}", f"{seed}_{second}") for first, second in session.pairs}
    result = find_duplicate_micrographs(folder, MicrographParams(bin=BIN))
    assert (pairs_of(result), result.warnings) == (planted, ())


def test_a_frame_of_two_visits_and_a_third(session: Planted, images: list[Path], tmp_path: Path) -> None:
    """The screener reports one duplicate an image, so triples are lost to it."""
    first, second = next(iter(session.pairs))
    source = next(path for path in images if path.name == second)
    noisy = mrcfile.read(source).astype(np.float32)
    third = write(
        source.with_name("FoilHole_9999_Data_299_399_20260115_235900.mrc"),
        np.roll(noisy, (9, 14), (0, 1)) + np.random.default_rng(3).normal(0, 8, noisy.shape).astype(np.float32),
    )
    result = find_duplicate_micrographs(images[0].parent, MicrographParams(bin=BIN))
    (group,) = [group for group in result.groups if len(group) == 3]
    assert {Path(result.names[i]).name for i in group} == {first, second, third.name}
    assert [Path(result.names[i]).name for i in group if result.kept[i]] == [first]


@pytest.mark.parametrize(
    ("name", "hole", "shot", "timed"),
    [
        ("GridSquare_7/Data/FoilHole_5330585_Data_5338216_5338218_20200206_170645_fractions.mrc", "5330585", "5338216", True),
        ("000123456789012345678_FoilHole_12_Data_3_4_20200206_1706_patch_aligned.mrc", "12", "3", True),
        ("pos2_X+1Y-1-2_Dec31_23.59.58.mrc", "pos2_X+1Y-1", "2", True),
        ("s_00017_3-2_frames.mrc", "00017_3", "2", True),
        ("24jan_00004gr_00021sq_v01_00003hl_v01_00002ei.mrc", "00004-00021-00003", "00002", True),
        ("mic_001.mrc", "", "", False),
    ],
)
def test_names_tell_hole_shot_and_time(name: str, hole: str, shot: str, timed: bool) -> None:
    known = acquisition_of(name)
    assert (known.hole, known.shot, known.time is not None) == (hole, shot, timed)


def test_serialem_counts_exposures_or_visits() -> None:
    def holes(*names: str) -> list[str]:
        return [one.hole for one in acquisitions_of([Path("/nowhere") / f"s_{name}.mrc" for name in names])]

    # Two visits of two holes with two shots each, every exposure with a number of its own; the third was deleted.
    assert holes("00001_1-1", "00002_1-2", "00004_2-2", "00005_1-1", "00006_1-2") == ["0_1", "0_1", "2_2", "4_1", "4_1"]
    assert holes("00007_1-1", "00007_1-2", "00007_2-1", "00008_1-1") == ["00007_1", "00007_1", "00007_2", "00008_1"]


def test_january_follows_december() -> None:
    names = ["a_X+0Y+0-1_Jan01_00.10.00.mrc", "a_X+0Y+0-1_Dec31_23.50.00.mrc"]
    assert sort(names, [acquisition_of(name) for name in names], "auto") == ([1, 0], "time")
    assert sort(["x_10", "x_9"], [acquisition_of("")] * 2, "natural") == ([1, 0], "natural")
    of_cryosparc = ["S1/999999999999999999999_x_1.mrc", "S1/111111111111111111111_x_2.mrc"]
    assert sort(of_cryosparc, [acquisition_of("")] * 2, "auto") == ([0, 1], "name")  # the uid in front is as good as random


@needs_shared
def test_a_real_session_in_order_of_time(real: Path) -> None:
    """By name none of 189 exposures is at its place."""
    paths = sorted((real / "epu_session").glob("*.xml"))
    known = acquisitions_of(paths)
    order, rule = sort([path.name for path in paths], known, "auto")
    assert rule == "time"
    assert sum(place == i for place, i in enumerate(order)) == 0
    assert len({item.stage for item in known}) < len(known)


def test_what_a_small_file_claims_or_unpacks_to_is_bounded(tmp_path: Path) -> None:
    image = np.random.default_rng(1).normal(50, 10, (96, 96)).astype(np.float32)
    for name in ("a", "b", "c", "d"):
        with mrcfile.new(tmp_path / f"{name}.mrc") as file:
            file.set_data(image)
    content = (tmp_path / "c.mrc").read_bytes()
    (tmp_path / "c.mrc.bz2").write_bytes(bz2.compress(content + bytes(3 << 20)))
    (tmp_path / "c.mrc").unlink()
    (tmp_path / "d.mrc").write_bytes(content[:92] + (2_000_000_000).to_bytes(4, "little") + content[96:])
    reasons = find_duplicate_micrographs(tmp_path, MicrographParams(bin=2)).unreadable.values()
    assert [reason.partition(",")[0] for reason in sorted(reasons)] == [
        "found an extended header of 2",
        "found more than 1048576 bytes behind the pixels",
    ]

"""``cryodedup apply``: the choice of an earlier run for other files; rows byte for byte, what is not found is counted and named."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cases import Ran, cs, needs_shared, optics, records, star
from cryodedup import InputError, MicrographParams, ParticleParams, apply_choice, deduplicate_particles, find_duplicate_micrographs
from cryodedup.apply.earlier import ChosenMicrographs
from cryodedup.apply.matching import by_micrographs
from cryodedup.apply.rows import read_rows
from cryodedup.apply.verdicts import KEPT, REJECTED, UNKNOWN
from cryodedup.demo import make_micrographs
from cryodedup.particles.inputs.picks import Micrograph
from fuzzing import mutated

Command = Callable[..., Ran]
COLUMNS = "CoordinateX CoordinateY MicrographName ImageName"
MIC = "MotionCorr/job002/Movies/{}.mrc"


@dataclass
class Unique:
    """The result of a run on the demo's micrographs, one of which stands in two folders."""

    directory: Path
    kept: list[str]
    removed: list[str]
    version: str


@pytest.fixture(scope="module")
def unique(tmp_path_factory: pytest.TempPathFactory) -> Unique:
    base = tmp_path_factory.mktemp("session")
    planted = make_micrographs(base)
    text = planted.star.read_text()
    name = next(line.split()[0] for line in text.splitlines() if line.startswith("Micrographs/"))
    copy = f"Copies/{Path(name).name}"
    (base / "Copies").mkdir()
    shutil.copy(base / name, base / copy)
    planted.star.write_text(text.rstrip() + f"\n{copy} 1\n\n")
    result = find_duplicate_micrographs(planted.star, MicrographParams(bin=2))
    result.write(base / "unique", report=False)
    kept = [name for name, stays in zip(result.names, result.kept, strict=True) if stays]
    (version,) = (result.names[one.version] for one in result.versions)
    removed = [name for name, stays in zip(result.names, result.kept, strict=True) if not stays and name != version]
    assert len(removed) == 9
    return Unique(base / "unique", kept, removed, version)


def lines_but(path: Path, drop: Callable[[str], bool]) -> bytes:
    """A file without some lines."""
    return b"".join(line for line in path.read_bytes().splitlines(keepends=True) if not drop(line.decode()))


def stem_of(name: str) -> str:
    return Path(name).stem


def exposures(path: Path, names: Sequence[str], first_uid: int = 1) -> Path:
    array = np.zeros(len(names), [("uid", "<u8"), ("micrograph_blob/path", "S120"), ("ctf/df1_A", "<f4")])
    array["uid"] = np.arange(len(names)) + first_uid
    array["micrograph_blob/path"] = [
        f"J5/motioncorrected/{uid:021d}_{stem_of(name)}_patch_aligned_doseweighted.mrc".encode()
        for uid, name in zip(array["uid"].tolist(), names, strict=True)
    ]
    array["ctf/df1_A"] = np.arange(len(names))
    return cs(path, array)


def summary_of(directory: Path) -> dict:
    return json.loads((directory / "summary.json").read_text())


# After micrographs: every kind of table by the micrographs it names.


def tables_of_micrographs(unique: Unique, where: Path) -> dict[str, tuple[Path, str]]:
    """A file of each kind that lists two kept, two removed and an unknown micrograph; what its rejected rows are called; and by what."""
    names = [unique.kept[1], unique.removed[0], unique.kept[2], unique.removed[1], "Micrographs/unseen.mrc"]
    (where / "list.txt").write_text("".join(f"/data/{name}\n" for name in names))
    group = optics((1, "opticsGroup1", 0.8), columns="OpticsGroup OpticsGroupName MicrographOriginalPixelSize")
    movies = [(f"Movies/{stem_of(name)}_fractions.tiff", 1) for name in names]
    return {
        "movies": (star(where / "movies.star", movies, "MicrographMovieName OpticsGroup", group, "movies"), "removed"),
        "ctf": (star(where / "ctf.star", [(name, 1, 2.5) for name in names], "MicrographName OpticsGroup CtfMaxResolution", group, "micrographs"), "removed"),
        "index": (star(where / "autopick.star", [(name, f"AutoPick/{stem_of(name)}_autopick.star") for name in names], "MicrographName MicrographCoordinates", "", "coordinate_files"), "removed"),
        "particles": (star(where / "run_data.star", [(10 * i, 5, name, f"{i:06d}@x.mrcs") for i, name in enumerate(names * 2)], COLUMNS, group), "rejected"),
        "list": (where / "list.txt", "removed"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["movies", "ctf", "index", "particles", "list"])
def test_rows_of_removed_micrographs_go(command: Command, unique: Unique, tmp_path: Path, kind: str) -> None:
    path, word = tables_of_micrographs(unique, tmp_path)[kind]
    ran = command("apply", unique.directory, path, "-o", tmp_path / "out")
    assert (ran.status, ran.err) == (0, "")
    removed = [stem_of(name) for name in unique.removed[:2]]
    is_row = lambda line: any(stem_of(name) in line for name in [*unique.kept, *unique.removed, "unseen"])  # noqa: E731
    gone = lambda line: any(stem in line for stem in removed)  # noqa: E731
    assert (tmp_path / "out" / f"{path.stem}_kept{path.suffix}").read_bytes() == lines_but(path, gone)
    assert (tmp_path / "out" / f"{path.stem}_{word}{path.suffix}").read_bytes() == lines_but(
        path, lambda line: is_row(line) and not gone(line)
    )
    (file,) = summary_of(tmp_path / "out")["files"]
    times = 2 if kind == "particles" else 1
    assert (file["rows"], file["kept"], file["rejected"], file["not_found"], file["undecided"]) == (
        5 * times,
        3 * times,
        2 * times,
        times,
        0,
    )
    assert file["matched_by"] == {"name" if kind in ("movies", "list") else "path": 4 * times}
    assert (
        file["not_found_examples"]
        == [
            name
            for name in ["Movies/unseen_fractions.tiff", "/data/Micrographs/unseen.mrc", "Micrographs/unseen.mrc"]
            if name in path.read_text()
        ][:1]
    )
    assert f"warning: {path}: {times} of {5 * times} rows not found in the earlier result" in ran.out
    assert "unseen" in ran.out


def test_exposures_and_particles_of_cryosparc(command: Command, unique: Unique, tmp_path: Path) -> None:
    names = [unique.kept[1], unique.removed[0], unique.kept[2]]
    table = exposures(tmp_path / "J5_exposures.cs", names)
    picked = records([(1, 1)] * 6)
    picked["location/micrograph_uid"] = [1, 2, 3, 2, 1, 2]
    dtype = [(name, "S120" if name == "location/micrograph_path" else kind, *shape) for name, kind, *shape in picked.dtype.descr]
    wide = picked.astype(dtype)
    wide["location/micrograph_path"] = np.load(table)["micrograph_blob/path"][wide["location/micrograph_uid"].astype(int) - 1]
    particles = cs(tmp_path / "particles.cs", wide)
    bare = cs(tmp_path / "refined.cs", np.array([(uid, uid / 2) for uid in (6, 5, 4, 99)], [("uid", "<u8"), ("alignments3D/error", "<f4")]))
    ran = command("apply", unique.directory, table, particles, bare, "-o", tmp_path / "out")
    assert (ran.status, ran.err) == (0, "")
    assert np.load(tmp_path / "out" / "J5_exposures_kept.cs").tobytes() == np.load(table)[[0, 2]].tobytes()
    assert np.load(tmp_path / "out" / "J5_exposures_removed.cs").tobytes() == np.load(table)[[1]].tobytes()
    assert np.load(tmp_path / "out" / "particles_kept.cs").tobytes() == wide[[0, 2, 4]].tobytes()
    assert np.load(tmp_path / "out" / "particles_rejected.cs")["uid"].tolist() == [2, 4, 6]
    assert np.load(tmp_path / "out" / "refined_kept.cs")["uid"].tolist() == [5, 99]
    assert "type: exposure.micrograph_blob" in (tmp_path / "out" / "J5_exposures_removed.csg").read_text()
    assert "type: particle" in (tmp_path / "out" / "refined_rejected.csg").read_text()
    files = summary_of(tmp_path / "out")["files"]
    assert [file["matched_by"] for file in files] == [{"name": 3}, {"name": 6}, {"uid": 3}]
    assert files[2]["not_found_examples"] == [f"{bare}, row 3"]


def test_a_result_of_exposures_is_applied_by_uid(unique: Unique, tmp_path: Path) -> None:
    base = unique.directory.parent
    names = [*unique.kept, *unique.removed, unique.version]
    array = np.zeros(len(names), [("uid", "<u8"), ("micrograph_blob/path", "S120")])
    array["uid"], array["micrograph_blob/path"] = np.arange(len(names)) + 1, [str(base / name).encode() for name in names]
    result = find_duplicate_micrographs(cs(tmp_path / "exposures.cs", array), MicrographParams(bin=2))
    result.write(tmp_path / "unique", report=False)
    bare = cs(tmp_path / "ctf.cs", np.array([(uid, 1.0) for uid in range(1, len(names) + 1)], [("uid", "<u8"), ("ctf/df1_A", "<f4")]))
    (file,) = apply_choice(tmp_path / "unique", bare).files
    assert file.kept.tolist() == result.kept.tolist()
    assert file.written_to(1) == "ctf_removed.cs"
    picked = records([(1, 1)] * 2, micrograph_path=b"J9/other/name.mrc")
    picked["location/micrograph_uid"] = [1 + int(np.flatnonzero(result.kept)[0]), 1 + int(np.flatnonzero(~result.kept)[0])]
    (file,) = apply_choice(tmp_path / "unique", cs(tmp_path / "picked.cs", picked)).files
    assert (file.kept.tolist(), file.match.by) == ([True, False], {"uid": 2})


def test_a_version_goes_by_its_path_and_its_movie_stays(unique: Unique, tmp_path: Path) -> None:
    exposure = next(name for name in unique.kept if stem_of(name) == stem_of(unique.version))
    table = star(tmp_path / "all.star", [(exposure,), (unique.version,)], "MicrographName", "", "micrographs")
    movies = star(tmp_path / "movies.star", [(f"Movies/{stem_of(exposure)}.eer",)], "MicrographMovieName", "", "movies")
    result = apply_choice(unique.directory, [table, movies])
    first, second = result.files
    assert (first.kept.tolist(), second.kept.tolist()) == ([True, False], [True])
    (warning,) = result.warnings
    assert warning.startswith(
        f"{table}: 1 of 2 rows of micrographs that were removed as versions of an exposure (such as {unique.version})"
    )
    assert second.match.name_example == (f"Movies/{stem_of(exposure)}.eer", exposure)


def test_a_result_of_images(tmp_path: Path, unique: Unique) -> None:
    """Whose kept micrographs are a list of paths."""
    names = [unique.kept[1], unique.kept[2], unique.removed[0]]
    result = find_duplicate_micrographs([unique.directory.parent / name for name in names], MicrographParams(bin=2, max_removed=1))
    result.write(tmp_path / "unique", report=False)
    table = star(tmp_path / "ctf.star", [(name,) for name in names], "MicrographName", "", "micrographs")
    (file,) = apply_choice(tmp_path / "unique", table).files
    assert (file.kept.tolist(), file.match.by) == (result.kept.tolist(), {"name": 3})


def test_folders_of_picks_by_their_micrographs(unique: Unique, tmp_path: Path) -> None:
    (tmp_path / "boxes").mkdir()
    for name in (unique.kept[1], unique.removed[0]):
        (tmp_path / "boxes" / f"{stem_of(name)}.box").write_text("1\t2\t10\t10\n3\t4\t10\t10\n")
    apply_choice(unique.directory, tmp_path / "boxes").write(tmp_path / "out")
    assert (tmp_path / "out" / "boxes_kept" / f"{stem_of(unique.kept[1])}.box").read_text() == "1\t2\t10\t10\n3\t4\t10\t10\n"
    assert (tmp_path / "out" / "boxes_kept" / f"{stem_of(unique.removed[0])}.box").read_text() == ""


# After particles: by uid, or by place.


def ran_particles(where: Path, *inputs: Path, **params: object) -> Path:
    """The directory of a result."""
    result = deduplicate_particles(list(inputs), ParticleParams(**{"pixel_size_a": 1.0, "shift_key": "none"} | params))
    result.write(where, report=False)
    return where


def picked(path: Path, rows: Sequence[Sequence[object]] | None = None) -> Path:
    """Four particles, of which the second duplicates the first."""
    rows = rows or [
        (100, 100, MIC.format("a"), "000001@Extract/a.mrcs"),
        (110.123456, 100, MIC.format("a"), "000002@Extract/a.mrcs"),
        (300, 100, MIC.format("a"), "000003@Extract/a.mrcs"),
        (110.123456, 100, MIC.format("b"), "000001@Extract/b.mrcs"),
    ]
    return star(path, rows, COLUMNS)


def kept_of(directory: Path, *files: Path, **options: object) -> list[list[bool]]:
    return [file.kept.tolist() for file in apply_choice(directory, files, **options).files]


def test_star_by_place(command: Command, tmp_path: Path) -> None:
    directory = ran_particles(tmp_path / "clean", picked(tmp_path / "picked.star"))
    rows = [
        ("x y", MIC.format("b").replace(".mrc", "_DW.mrc"), 110.123459, 100),
        ("'x'", MIC.format("a"), "1.1012345e2", "100.000000"),
        ("z", MIC.format("a"), 110.2, 100),
        ("[1,2]", MIC.format("a"), 300, 100),
    ]
    rows = [(f'"{first}"', *others) for first, *others in rows]
    path = star(tmp_path / "ctf_refined.star", rows, "CtfImage MicrographName CoordinateX CoordinateY", optics((1, "o", 1.0)))
    with path.open("a") as file:
        file.write("\n# a comment\ndata_other\n\n_rlnX 1\n")
    ran = command("apply", directory, path, "-o", tmp_path / "out")
    assert (ran.status, ran.err) == (0, "")
    assert (tmp_path / "out" / "ctf_refined_kept.star").read_bytes() == lines_but(path, lambda line: "1.1012345e2" in line)
    assert "1.1012345e2" in (tmp_path / "out" / "ctf_refined_rejected.star").read_text()
    (file,) = summary_of(tmp_path / "out")["files"]
    assert (file["kept"], file["rejected"], file["not_found"], file["matched_by"]) == (3, 1, 1, {"place": 3})
    line = 1 + path.read_text().splitlines().index(next(line for line in path.read_text().splitlines() if " 110.2 " in line))
    assert file["not_found_examples"] == [f"{path}, line {line}"]
    assert "1 of 4 rows not found in the earlier result (such as" in ran.out


def test_datasets_by_uid(tmp_path: Path) -> None:
    first = cs(tmp_path / "J1.cs", records([(100, 100), (110, 100), (300, 100)]))
    directory = ran_particles(tmp_path / "clean", first)
    moved = records([(5, 5), (6, 6), (7, 7), (8, 8)], extra=[("blob/idx", "<u4")])
    moved["uid"] = [3, 2, 50, 1]
    (file,) = apply_choice(directory, cs(tmp_path / "J9.cs", moved)).files
    assert (file.kept.tolist(), file.not_found.tolist(), file.match.by) == (
        [True, False, True, True],
        [False, False, True, False],
        {"uid": 3},
    )
    bare = cs(tmp_path / "bare.cs", np.array([(2,), (1,)], [("uid", "<u8")]))
    assert kept_of(directory, bare) == [[False, True]]


def test_groups_are_written_again(tmp_path: Path) -> None:
    array = records([(100, 100), (110, 100), (300, 100)])
    directory = ran_particles(tmp_path / "clean", cs(tmp_path / "J1.cs", array))
    main = np.array([(3, 0.5), (2, 0.25), (1, 0.125)], [("uid", "<u8"), ("alignments3D/error", "<f4")])
    cs(tmp_path / "J9_main.cs", main)
    cs(tmp_path / "J9_passed.cs", array)
    (tmp_path / "J9.csg").write_text(
        "group: {name: particles}\nresults:\n  alignments3D: {metafile: '>J9_main.cs', num_items: 3, type: particle.alignments3D}\n"
        "  location: {metafile: '>J9_passed.cs', num_items: 3, type: particle.location}\nversion: v4.4.1\n"
    )
    apply_choice(directory, tmp_path / "J9.csg").write(tmp_path / "out")
    assert np.load(tmp_path / "out" / "J9_kept.cs").tobytes() == main[[0, 2]].tobytes()
    assert np.load(tmp_path / "out" / "J9_kept_passthrough.cs").tobytes() == array[[0, 2]].tobytes()
    text = (tmp_path / "out" / "J9_rejected.csg").read_text()
    assert ">J9_rejected.cs" in text
    assert "num_items: 1" in text


def test_symmetry_expanded_copies_follow_their_particle(tmp_path: Path) -> None:
    directory = ran_particles(tmp_path / "clean", cs(tmp_path / "J1.cs", records([(100, 100), (110, 100)])))
    copies = records([(1, 1)] * 4, extra=[("sym_expand/src_uid", "<u8")], uid=[11, 12, 13, 14], src_uid=[1, 1, 2, 2])
    (file,) = apply_choice(directory, cs(tmp_path / "expanded.cs", copies)).files
    assert (file.kept.tolist(), file.match.by) == ([True, True, False, False], {"sym_expand/src_uid": 4})


def test_one_uid_that_was_kept_and_rejected_stays_and_is_said(tmp_path: Path) -> None:
    array = records([(100, 100), (110, 100), (500, 500)])
    other = records([(500, 500), (900, 900)], uid=[3, 4])
    directory = ran_particles(tmp_path / "clean", cs(tmp_path / "a.cs", array), cs(tmp_path / "b.cs", other))
    result = apply_choice(directory, tmp_path / "a.cs")
    assert (result.files[0].kept.tolist(), result.files[0].undecided.tolist()) == ([True, False, True], [False, False, True])
    assert "1 of 3 rows match both a kept and a rejected particle" in result.warnings[0]


def test_star_and_datasets_by_place_and_back(tmp_path: Path) -> None:
    rows = [(100, 100, "a.mrc", "1@a"), (110.5, 100.25, "a.mrc", "2@a"), (300, 1100, "a.mrc", "3@a")]
    array = records([(300, 1100), (110.5, 100.25), (100, 100)])
    flipped = records([(300, 900), (110.5, 1899.75), (100, 1900)])
    table, dataset = picked(tmp_path / "picked.star", rows), cs(tmp_path / "picked.cs", array)
    upside_down = cs(tmp_path / "flipped.cs", flipped)
    of_star = ran_particles(tmp_path / "of_star", table)
    assert kept_of(of_star, dataset, table) == [[True, False, True], [True, False, True]]
    assert kept_of(of_star, upside_down, flip_y=True) == [[True, False, True]]
    of_dataset = ran_particles(tmp_path / "of_dataset", dataset)
    assert kept_of(of_dataset, table) == [[False, True, True]]
    of_flipped = ran_particles(tmp_path / "of_flipped", upside_down, flip_y=True)
    assert kept_of(of_flipped, table) == kept_of(of_dataset, table)
    with pytest.raises(InputError, match=r"found none of its 3 particles in .*of_star, by uid or by micrograph .* and coordinates"):
        apply_choice(of_star, upside_down)


def test_binned_micrographs_are_compared_in_angstrom(tmp_path: Path) -> None:
    group = optics((1, "o", 1.0))
    columns = f"{COLUMNS} OpticsGroup"
    rows = [(100, 100, "a.mrc", "1@a", 1), (110, 100, "a.mrc", "2@a", 1), (50, 50, "a.mrc", "3@a", 1)]
    directory = ran_particles(tmp_path / "clean", star(tmp_path / "full.star", rows, columns, group))
    binned = [(55, 50, "a.mrc", "1@b", 1), (50, 50, "a.mrc", "2@b", 1), (110, 100, "a.mrc", "9@b", 1)]
    result = apply_choice(directory, star(tmp_path / "binned.star", binned, columns, optics((1, "o", 2.0))))
    assert (result.files[0].kept.tolist(), result.files[0].not_found.tolist()) == ([False, True, True], [False, False, True])


SHIFTED = "CoordinateX CoordinateY MicrographName ImageName OriginXAngst OriginYAngst OpticsGroup"


def shifted(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    return star(path, [(*row, 1) for row in rows], SHIFTED, optics((1, "o", 1.25)))


def refined(where: Path) -> Path:
    """Of two that drifted together the second is rejected, at 112 px and a centre of 107.6; beside two others."""
    rows = [
        (100, 100, "a.mrc", "1@a", -9.5, 2.0),
        (112, 100, "a.mrc", "2@a", 5.5, 2.25),
        (300, 100, "a.mrc", "3@a", 1.5, 0.5),
        (104, 100, "b.mrc", "1@b", 5.0, 0.0),
    ]
    return ran_particles(
        where / "clean", shifted(where / "refined.star", rows), shift_key="alignments2D", min_separation_a=5, pixel_size_a=None
    )


def test_recentred_particles_are_found_by_their_centres(tmp_path: Path) -> None:
    """RELION subtracts the rounded origin from the coordinate: that of 112 - round(4.4) is another particle's old one."""
    directory = refined(tmp_path)
    rows = [
        (108, 98, "a.mrc", "1@new", -7.6 * 1.25 + 8 * 1.25, 2.0 - 2 * 1.25),
        (108, 98, "a.mrc", "2@new", 4.4 * 1.25 - 4 * 1.25, 2.25 - 2 * 1.25),
        (299, 100, "a.mrc", "3@new", 1.5 - 1.25, 0.5),
        (100, 100, "b.mrc", "1@newb", 0.0, 0.0),
    ]
    (file,) = apply_choice(directory, shifted(tmp_path / "recentred.star", rows)).files
    assert (file.kept.tolist(), file.not_found.any(), file.undecided.any()) == ([True, False, True, True], False, False)


def test_particles_refined_further_are_found_by_their_coordinates(tmp_path: Path) -> None:
    rows = [(112, 100, "a.mrc", "2@new", 1.0, -3.0), (100, 100, "a.mrc", "1@new", 2.0, 3.0)]
    assert kept_of(refined(tmp_path), shifted(tmp_path / "further.star", rows)) == [[False, True]]


def test_coordinates_and_centres_that_contradict_leave_it_undecided(tmp_path: Path) -> None:
    """At the old coordinates of the rejected one, with the centre of a kept one."""
    rows = [(112, 100, "a.mrc", "9@new", 12 * 1.25 - 9.5, 2.0), (300, 100, "a.mrc", "3@new", 1.5, 0.5)]
    rows.append((112, 100, "a.mrc", "9@new", 9, 9))
    (file,) = apply_choice(refined(tmp_path), shifted(tmp_path / "odd.star", rows)).files
    assert (file.kept.tolist(), file.undecided.tolist()) == ([True, True, False], [True, False, False])


def test_images_tell_apart_what_is_at_one_place(tmp_path: Path) -> None:
    rows = [(100, 100, "a.mrc", f"{i}@a") for i in (1, 2)] + [(300, 100, "a.mrc", "3@a"), (305, 100, "a.mrc", "4@a")]
    directory = ran_particles(tmp_path / "clean", picked(tmp_path / "picked.star", rows))
    same = picked(tmp_path / "same.star", rows[::-1])
    polished = picked(tmp_path / "polished.star", [(*row[:3], f"{row[3]}_shiny") for row in rows])
    first, second = apply_choice(directory, [same, polished]).files
    assert (first.kept.tolist(), first.match.by) == ([False, True, False, True], {"place": 2, "rlnImageName": 2})
    assert (second.kept.tolist(), second.undecided.tolist()) == ([True, True, True, False], [True, True, False, False])
    with pytest.raises(InputError, match="found only particles that match both a kept and a rejected one"):
        apply_choice(directory, picked(tmp_path / "both.star", [(*row[:3], "x@a") for row in rows[:2]]))


def test_images_of_equal_names_at_another_place_are_not_the_same(tmp_path: Path) -> None:
    """As after an extraction that was repeated into one job."""
    directory = ran_particles(tmp_path / "clean", picked(tmp_path / "picked.star"))
    rows = [(1000, 100, MIC.format("a"), "000002@Extract/a.mrcs"), (300, 100, MIC.format("a"), "000009@Extract/a.mrcs")]
    (file,) = apply_choice(directory, picked(tmp_path / "again.star", rows)).files
    assert (file.kept.tolist(), file.not_found.tolist()) == ([True, True], [True, False])


def test_joined_outputs(tmp_path: Path) -> None:
    """Two inputs written together, optics groups renumbered: each can be chosen from again."""
    columns = f"{COLUMNS} OpticsGroup"
    first = star(tmp_path / "first.star", [(100, 100, "a.mrc", "1@a", 1), (110, 100, "a.mrc", "2@a", 1)], columns, optics((1, "o", 1.0)))
    second = star(tmp_path / "second.star", [(100, 100, "b.mrc", "1@b", 1), (110, 100, "b.mrc", "2@b", 1)], columns, optics((1, "o", 2.0)))
    directory = ran_particles(tmp_path / "clean", first, second, min_separation_a=30, pixel_size_a=None)
    assert (directory / "particles_kept.star").exists()
    assert kept_of(directory, second, first) == [[True, False], [True, False]]


@pytest.mark.parametrize("single", [True, False])
def test_files_of_picks(tmp_path: Path, single: bool) -> None:
    """Boxes count from the corner: 90 is the centre 100 of a box of 20."""
    boxes = tmp_path / "boxes"
    boxes.mkdir()
    (boxes / "a.box").write_text("90\t90\t20\t20\n100\t90\t20\t20\n290\t90\t20\t20\n")
    (boxes / "b.box").write_text("90\t90\t20\t20\n")
    table = picked(tmp_path / "particles.star", [(110, 100, MIC.format("a"), "x"), (300, 100, MIC.format("a"), "y")])
    directory = ran_particles(tmp_path / "clean", boxes / "a.box" if single else boxes)
    assert kept_of(directory, table) == [[False, True]]
    of_star = ran_particles(tmp_path / "of_star", picked(tmp_path / "picked.star", [(x, 100, "a", str(x)) for x in (100, 110, 300)]))
    applied = apply_choice(of_star, boxes)
    assert (applied.files[0].kept.tolist(), applied.files[0].not_found.tolist()) == ([True, False, True, True], [False, False, False, True])
    applied.write(tmp_path / "out")
    assert (tmp_path / "out" / "boxes_rejected" / "a.box").read_text() == "100\t90\t20\t20\n"


def test_tomograms_by_three_coordinates(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY CoordinateZ TomoName"
    rows = [(10, 10, 10, "t1"), (10, 10, 15, "t1"), (10, 10, 90, "t1")]
    directory = ran_particles(tmp_path / "clean", star(tmp_path / "tomo.star", rows, columns))
    assert kept_of(directory, star(tmp_path / "other.star", rows[::-1], columns)) == [[True, False, True]]
    flat = star(tmp_path / "flat.star", [(10, 10, "t1")], "CoordinateX CoordinateY TomoName")
    with pytest.raises(InputError, match="found none of its 1 particles"):
        apply_choice(directory, flat)


def test_a_result_that_rejects_nothing(tmp_path: Path) -> None:
    array = records([(100, 100), (300, 100)])
    for number, path in enumerate((picked(tmp_path / "a.star", [(1, 1, "a", "x"), (90, 1, "a", "y")]), cs(tmp_path / "b.cs", array))):
        directory = ran_particles(tmp_path / f"clean{number}", path)
        assert kept_of(directory, path) == [[True, True]]


@pytest.mark.parametrize("shift_key", ["none", "alignments2D"])
def test_applied_to_its_own_input_it_is_the_same_choice(tmp_path: Path, shift_key: str) -> None:
    rng = np.random.default_rng(5)
    xy = rng.integers(0, 400, (600, 2)) + np.round(rng.random((600, 2)), 6)
    shifts = np.round(rng.normal(0, 5, (600, 2)), 6)
    rows = [(x, y, f"m{i % 3}.mrc", f"{i}@s", dx, dy, 1) for i, ((x, y), (dx, dy)) in enumerate(zip(xy, shifts, strict=True))]
    table = star(tmp_path / "table.star", rows, SHIFTED, optics((1, "o", 1.25)))
    array = records(xy, extra=[("alignments2D/shift", "<f4", (2,)), ("alignments2D/psize_A", "<f4")], shift=shifts)
    array["alignments2D/psize_A"] = 1.25
    dataset = cs(tmp_path / "dataset.cs", array)
    for path in (table, dataset):
        result = deduplicate_particles(path, ParticleParams(shift_key=shift_key))
        assert 100 < result.kept.sum() < 550
        directory = tmp_path / f"of_{path.stem}"
        result.write(directory, report=False)
        for threads in (1, 2):
            (file,) = apply_choice(directory, path, threads=threads).files
            assert np.array_equal(file.kept, result.kept)
        order = rng.permutation(600)
        shuffled = star(tmp_path / "shuffled.star", [rows[i] for i in order], SHIFTED, optics((1, "o", 1.25)))
        if path is table:
            assert np.array_equal(apply_choice(directory, shuffled).files[0].kept, result.kept[order])


# Files and the command line.


def test_equal_names_are_numbered_and_nothing_else_is_touched(tmp_path: Path) -> None:
    source = picked(tmp_path / "picked.star")
    directory = ran_particles(tmp_path / "clean", source)
    before = {path: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    for name in "xy":
        (tmp_path / name).mkdir()
        shutil.copy(source, tmp_path / name / "particles.star")
    applied = apply_choice(directory, [tmp_path / "x" / "particles.star", str(tmp_path / "y" / "particles.star")])
    names = {path.name for path in applied.write(tmp_path / "out")}
    assert names == {f"particles{number}_{word}.star" for number in ("", "-2") for word in ("kept", "rejected")} | {"summary.json"}
    assert summary_of(tmp_path / "out")["outputs"] == sorted(names)
    assert {path: path.read_bytes() for path in directory.iterdir() if path.is_file()} == before


def test_what_is_printed(command: Command, tmp_path: Path) -> None:
    source = picked(tmp_path / "picked.star")
    directory = ran_particles(tmp_path / "clean", source)
    ran = command("apply", directory, source, "-o", tmp_path / "out")
    assert ran.out.replace(str(tmp_path), "T") == (
        "T/picked.star: 4 rows of particles, matched 4 by place\n"
        "    kept 3, rejected 1 → picked_kept.star, picked_rejected.star\n"
        "written: T/out/picked_kept.star\nwritten: T/out/picked_rejected.star\nwritten: T/out/summary.json\n"
    )
    dry = command("apply", directory, source, "--dry-run", "-o", tmp_path / "not")
    assert (dry.status, dry.out.count("\n"), (tmp_path / "not").exists()) == (0, 2, False)
    assert command("apply", directory, source, "-o", tmp_path / "out").status == 2
    again = command("apply", directory, source, "-o", tmp_path / "out", "--overwrite", "-q")
    assert (again.status, again.out, again.err) == (0, "", "")
    shown = command("apply", directory, source, "-o", tmp_path / "out", "--overwrite", "--json")
    assert json.loads(shown.out) == summary_of(tmp_path / "out")
    assert json.loads(shown.out)["schema"] == "cryodedup.apply/1"


def test_the_result_is_frozen(tmp_path: Path) -> None:
    source = picked(tmp_path / "picked.star")
    applied = apply_choice(ran_particles(tmp_path / "clean", source), source)
    with pytest.raises(AttributeError):
        applied.directory = tmp_path  # type: ignore[misc]
    with pytest.raises(InputError, match="found the earlier result as directory"):
        applied.write(tmp_path / "clean", overwrite=True)


def bad(tmp_path: Path, unique: Unique) -> dict[str, tuple[list[object], str]]:
    source = picked(tmp_path / "picked.star")
    clean = ran_particles(tmp_path / "clean", source)
    out = ["-o", tmp_path / "out"]

    def changed(name: str, of: Path = clean, **values: object) -> Path:
        shutil.copytree(of, tmp_path / name)
        (tmp_path / name / "summary.json").write_text(json.dumps(summary_of(of) | values))
        return tmp_path / name

    (changed("gap") / "particles_rejected.star").unlink()
    shutil.copy(clean / "particles_kept.star", changed("other") / "particles_rejected.star")
    (tmp_path / "empty").mkdir()
    (changed("broken") / "summary.json").write_text("{")
    halves = star(tmp_path / "halves.star", [(0, 0, "a", 1), (1, 0, "a", 2)], "CoordinateX CoordinateY MicrographName RandomSubset")
    repaired = ran_particles(tmp_path / "repaired", halves, half_sets="repair")
    movies = star(tmp_path / "movies.star", [("Movies/a.tiff",)], "MicrographMovieName", "", "movies")
    far = picked(tmp_path / "far.star", [(9, 9, "q/r.mrc", "1@r")])
    bare = cs(tmp_path / "bare.cs", np.array([(7,)], [("uid", "<u8")]))
    twins = star(tmp_path / "twins.star", [(f"d1/{Path(unique.kept[0]).name}",), (f"d2/{Path(unique.kept[0]).name}",)], "MicrographName")
    return {
        "no directory": ([tmp_path / "none", source, *out], "T/none: found no such directory, expected the directory that cryodedup particles or micrographs wrote (-o)"),
        "a file as directory": ([source, source, *out], "T/picked.star: found a file, expected the directory"),
        "no summary": ([tmp_path / "empty", source, *out], "T/empty: found no summary.json, expected"),
        "damaged summary": ([tmp_path / "broken", source, *out], "T/broken/summary.json: found another file, expected the summary that cryodedup"),
        "incomplete summary": ([changed("incomplete", sources=[{"kept": 3}]), source, *out], "T/incomplete/summary.json: found a damaged summary ('rejected')"),
        "another schema": ([changed("apply", schema="cryodedup.apply/1"), source, *out], "T/apply/summary.json: found schema 'cryodedup.apply/1', expected cryodedup.particles/1 or"),
        "dry run": ([changed("dry", outputs=[]), source, *out], "T/dry: found the summary of a dry run, expected a result with files; repeat that command, not as a dry run"),
        "withheld": ([changed("withheld", unique.directory, withheld="too many"), movies, *out], "T/withheld: found a result that is withheld (too many), expected one with micrographs_kept.*"),
        "a file is missing": ([tmp_path / "gap", source, *out], "T/gap/particles_rejected.star: found no such file, expected the complete result of the earlier run"),
        "a file was replaced": ([tmp_path / "other", source, *out], "T/other/particles_rejected.star: found 3 rows, expected 1 as summary.json says"),
        "half-sets repaired": ([repaired, source, *out], "T/repaired: found a result of --half-sets repair, expected one with kept and rejected particles"),
        "micrographs after particles": ([clean, movies, *out], "T/movies.star: found a list of micrographs, while T/clean is a result of cryodedup particles, expected files of particles"),
        "nothing in common": ([clean, far, *out], "T/far.star: found none of its 1 particles in T/clean, by uid or by micrograph (its first: q/r.mrc) and coordinates (within 0.01 px)"),
        "no micrograph in common": ([unique.directory, far, *out], f"T/far.star: found none of its 1 micrographs in {unique.directory} (its first: q/r.mrc)"),
        "uids of nothing": ([clean, bare, *out], "T/bare.cs: found no uid of T/clean and no coordinates, expected one of them; give the passthrough file as well, or only the .csg of the job"),
        "uids without micrographs": ([unique.directory, bare, *out], f"T/bare.cs: found no micrograph names, and no uid of {unique.directory}, expected exposures, or particles with location fields"),
        "a name that fits two": ([unique.directory, twins, *out], "T/twins.star: found two micrographs that fit"),
        "no output": ([clean, source], "missing -o DIR2, a directory for the new files (or --dry-run)"),
        "output is the result": ([clean, source, "-o", clean, "--overwrite"], "T/clean: found the earlier result as --output, expected another directory"),
        "missing file": ([clean, tmp_path / "none.star", *out], "T/none.star: no such file or directory"),
        "the same file twice": ([clean, source, source, *out], "T/picked.star: found twice among the files, expected once"),
        "an image": ([unique.directory, unique.directory.parent / unique.kept[0], *out], str(unique.directory.parent / unique.kept[0])),
        "no rows": ([clean, picked(tmp_path / "no_rows.star", [(1, 1, "a", "b")]), *out], "T/no_rows.star: found no rows"),
    }  # fmt: skip


CASES = [
    "no directory", "a file as directory", "no summary", "damaged summary", "incomplete summary", "another schema", "dry run", "withheld", "a file is missing",
    "a file was replaced", "half-sets repaired", "micrographs after particles", "nothing in common", "no micrograph in common",
    "uids of nothing", "uids without micrographs", "a name that fits two", "no output", "output is the result", "missing file",
    "the same file twice", "an image", "no rows",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_is_one_line_and_status_2(command: Command, tmp_path: Path, unique: Unique, case: str) -> None:
    arguments, message = bad(tmp_path, unique)[case]
    if case == "no rows":
        path = tmp_path / "no_rows.star"
        path.write_bytes(lines_but(path, lambda line: line.startswith("1 1")))
    ran = command("apply", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.replace(str(tmp_path), "T").startswith(f"cryodedup: error: {message}")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_no_input_is_written_over(command: Command, tmp_path: Path) -> None:
    source = picked(tmp_path / "picked.star")
    directory = ran_particles(tmp_path / "clean", source)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "picked_kept.star").symlink_to(source)
    before = source.read_bytes()
    ran = command("apply", directory, source, "-o", tmp_path / "out", "--overwrite")
    assert (ran.status, source.read_bytes() == before) == (2, True)
    assert "picked_kept.star: found an input, which an output would replace" in ran.err


@needs_shared
def test_datasets_in_csdat_form(tmp_path: Path, derived: Path) -> None:
    inputs = [derived / f"J10_em_testdata_{name}.cs" for name in ("particles_csdat", "passthrough_particles")]
    directory = ran_particles(tmp_path / "clean", *inputs, min_separation_a=80, pixel_size_a=None)
    main = derived / "J10_em_testdata_particles.cs"
    (file,) = apply_choice(directory, main).files
    assert file.match.by == {"uid": 4786}
    assert np.array_equal(file.kept, np.isin(np.load(main)["uid"], kept_uids(directory)))


def kept_uids(directory: Path) -> np.ndarray:
    from cryosparc.dataset import Dataset

    return np.asarray(Dataset.load(directory / "particles_kept.cs")["uid"])


@needs_shared
def test_classified_particles_applied_to_the_extraction(tmp_path: Path, real: Path, derived: Path) -> None:
    """Two real projects of one session: both pickers' particles lie on one lattice, so that places are shared, and images decide."""
    inputs = [real / "sppractice/Class2D/job010/run_it025_data.star", real / "em-testdata/run_it025_data.star"]
    result = deduplicate_particles(inputs, ParticleParams(min_separation_a=80))
    result.write(tmp_path / "clean", report=False)
    kept = result.kept_of(0)
    extracted = real / "sppractice/Extract/job009/particles.star"
    index = real / "sppractice/AutoPick/job008/autopick.star"
    applied = apply_choice(tmp_path / "clean", [extracted, index, derived / "J20_sppractice_particles.csg"])
    first, picks, dataset = applied.files
    assert first.kept.tolist() == kept.tolist()  # the classification has the rows of the extraction, in their order
    assert first.match.by == {"place": 1671, "rlnImageName": 703}
    for file in (picks, dataset):  # without images these are not told apart: none of them goes that was kept
        assert int(file.undecided.sum()) == 703
        assert not (~file.kept & kept).any()
        assert not file.not_found.any()
    applied.write(tmp_path / "out")
    stays = iter(kept.tolist())
    whole = extracted.read_bytes().splitlines(keepends=True)
    expected = b"".join(line for line in whole if b"@Extract/" not in line or next(stays))
    assert (tmp_path / "out" / "particles_kept.star").read_bytes() == expected


def test_a_partner_that_is_not_in_the_file_is_said(tmp_path: Path) -> None:
    directory = ran_particles(tmp_path / "clean", picked(tmp_path / "picked.star"))
    path = star(
        tmp_path / "selected.star",
        [(110.123456, 100, MIC.format("a")), (300, 100, MIC.format("a"))],
        "CoordinateX CoordinateY MicrographName",
        OPTICS,
    )
    (file,) = apply_choice(directory, path).files
    assert file.kept.tolist() == [False, True]
    assert "1 row rejected as duplicates of kept particles that are not in this file" in file.warnings[0]
    whole = picked(tmp_path / "whole.star")
    assert apply_choice(directory, whole).warnings == []
    assert apply_choice(directory, [path, whole]).warnings == [], "the partner is in the other file"
    (directory / "duplicates.csv").write_text("source,row,kept_source,kept_row\npicked.star,7,picked.star,0\n")
    with pytest.raises(InputError, match=r"duplicates\.csv: found rows that do not fit the other files"):
        apply_choice(directory, path)


@pytest.mark.parametrize("form", ["star", "cs"])
def test_lost_partners_are_counted_one_by_one(tmp_path: Path, form: str) -> None:
    """Particles lie so densely that another one is kept beside each that is lost."""
    rng = np.random.default_rng(4)
    grid = np.stack(np.meshgrid(np.arange(5, 95), np.arange(5, 15)), -1).reshape(-1, 2) * 30
    twice = np.concatenate([grid, grid[:300] + rng.integers(1, 4, (300, 2))])[rng.permutation(1200)]
    uids = np.arange(1, 1201)

    def written(name: str, rows: np.ndarray) -> Path:
        if form == "star":
            return star(tmp_path / f"{name}.star", [(*place, "a.mrc") for place in twice[rows].tolist()])
        table = records([tuple(place) for place in twice[rows].tolist()])
        table["uid"] = uids[rows]
        return cs(tmp_path / f"{name}.cs", table)

    directory = ran_particles(
        tmp_path / "clean", written("all", np.arange(1200)), min_separation_a=20, pixel_size_a=1.0 if form == "star" else None
    )
    with (directory / "duplicates.csv").open(newline="") as file:
        kept = np.unique([int(row["kept_row"]) for row in csv.DictReader(file)])
    gone = rng.choice(kept, 40, replace=False)
    stays = np.setdiff1d(np.arange(1200), gone)
    (one,) = apply_choice(directory, written("some", stays)).files
    assert "40 rows rejected as duplicates of kept particles that are not in this file" in one.warnings[0]
    half = [written(f"half{i}", np.sort(part)) for i, part in enumerate(np.array_split(rng.permutation(1200), 2))]
    assert apply_choice(directory, half).warnings == []


OPTICS = optics((1, "o", 1.0))


def test_coordinates_that_have_moved_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    places = rng.integers(0, 4000, (400, 2))
    twice = [*places, *(places[:200] + rng.integers(-2, 3, (200, 2)))]
    directory = ran_particles(tmp_path / "clean", star(tmp_path / "p.star", [(*place, "a.mrc") for place in twice]))
    moved = star(tmp_path / "moved.star", [(*(place + rng.integers(-2, 3, 2)), "a.mrc") for place in twice])
    with pytest.raises(
        InputError, match=r"rows at a position of the earlier result, but \d+ are expected by chance: the coordinates have changed since"
    ):
        apply_choice(directory, moved)
    few = star(
        tmp_path / "few.star",
        [*((*place, "a.mrc") for place in twice[:60]), *((*place, "a.mrc") for place in rng.integers(5000, 9000, (100, 2)))],
    )
    assert apply_choice(directory, few).files[0].match.by == {"place": 60}


def test_images_tell_particles_of_one_place_apart_and_no_others(tmp_path: Path) -> None:
    places = [(100, "1@s"), (100, "2@s"), (500, "3@s"), (505, "4@s"), (506, "5@s"), (900, "6@s")]
    directory = ran_particles(tmp_path / "clean", star(tmp_path / "p.star", [(x, 50, "m", image) for x, image in places], COLUMNS))
    again = [(100, "4@s"), (100, "5@s"), (500, "1@s"), (505, "2@s"), (506, "3@s"), (900, "6@s")]
    (file,) = apply_choice(directory, star(tmp_path / "q.star", [(x, 50, "m", image) for x, image in again], COLUMNS)).files
    assert file.kept.tolist() == [True, True, True, False, False, True]
    assert int(file.undecided.sum()) == 2


def test_each_input_of_a_joined_result_has_names_of_its_own(tmp_path: Path) -> None:
    first = star(tmp_path / "a.star", [(100, 100, "MotionCorr/x.mrc"), (900, 100, "MotionCorr/x.mrc")])
    second = star(tmp_path / "b.star", [(104, 100, "Import/x.mrc"), (500, 100, "Import/x.mrc")])
    directory = ran_particles(tmp_path / "clean", first, second)
    assert kept_of(directory, first, second) == [[True, True], [False, True]]
    assert "1 row rejected as duplicates of kept particles that are not in this file" in apply_choice(directory, second).warnings[-1]
    third = star(tmp_path / "c.star", [(104, 100, "Other/x_DW.mrc"), (900, 100, "Other/x_DW.mrc")])
    assert kept_of(directory, third, match="name") == [[False, True]]


def test_motive_lists_and_optimisation_sets(tmp_path: Path) -> None:
    head = "data_stopgap_motivelist\n\nloop_\n" + "".join(
        f"_{name}\n" for name in ("tomo_num", "subtomo_num", "orig_x", "orig_y", "orig_z", "score", "x_shift", "y_shift", "z_shift")
    )
    motives = tmp_path / "m.star"
    motives.write_text(head + "1 1 10 10 10 .5 0 0 0\n1 2 11 10 10 .9 0 0 0\n1 3 50 10 10 .1 0 0 0\n")
    directory = ran_particles(tmp_path / "motives", motives, pixel_size_a=4.0)
    assert kept_of(directory, motives) == [[False, True, True]]
    centred = "TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst"
    particles = star(tmp_path / "run_data.star", [("t", 1, 0, 0), ("t", 5, 0, 0), ("t", 90, 0, 0)], centred)
    (tmp_path / "optimisation_set.star").write_text("data_\n\n_rlnTomoParticlesFile run_data.star\n_rlnTomoTomogramsFile t.star\n")
    directory = ran_particles(tmp_path / "clean", particles, pixel_size_a=None)
    applied = apply_choice(directory, tmp_path / "optimisation_set.star")
    assert applied.files[0].kept.tolist() == [True, False, True]
    applied.write(tmp_path / "out")
    assert "run_data_kept.star" in (tmp_path / "out" / "run_data_optimisation_set.star").read_text()


def test_a_main_file_and_its_passthrough_are_one(tmp_path: Path) -> None:
    whole = records([(100, 100), (104, 100), (500, 100)], [("blob/path", "S8")], ncc_score=[1, 2, 3])
    names = ("uid", "blob/path")
    main = np.zeros(3, [(name, whole.dtype[name]) for name in names])
    for name in names:
        main[name] = whole[name]
    rest = np.zeros(3, [(name, whole.dtype[name]) for name in whole.dtype.names if name != "blob/path"])
    for name in rest.dtype.names:
        rest[name] = whole[name]
    paths = [cs(tmp_path / "J1_particles.cs", main), cs(tmp_path / "J1_passthrough_particles.cs", rest)]
    directory = ran_particles(tmp_path / "clean", *paths, pixel_size_a=None)
    applied = apply_choice(directory, paths)
    assert [file.kept.tolist() for file in applied.files] == [[False, True, True]]
    applied.write(tmp_path / "out")
    assert {"J1_particles_kept.cs", "J1_particles_kept_passthrough.cs", "J1_particles_kept.csg"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


@pytest.mark.parametrize("group", ["", optics((1, "o", 0.5), columns="OpticsGroup OpticsGroupName MicrographOriginalPixelSize")])
def test_a_missing_partner_is_said_where_pixel_sizes_are_not_certain(tmp_path: Path, group: str) -> None:
    """As in ordinary files of RELION, of which Extract removes the micrograph's pixel size."""
    directory = ran_particles(tmp_path / "clean", picked(tmp_path / "picked.star"), pixel_size_a=2.0, min_separation_a=30)
    rows = [(110.123456, 100, MIC.format("a")), (300, 100, MIC.format("a"))]
    (file,) = apply_choice(directory, star(tmp_path / "selected.star", rows, "CoordinateX CoordinateY MicrographName", group)).files
    assert file.kept.tolist() == [False, True]
    assert "1 row rejected as duplicates of kept particles that are not in this file" in file.warnings[0]


def test_pixel_sizes_that_are_calibrated_anew_do_not_hide_a_choice(tmp_path: Path) -> None:
    directory = ran_particles(tmp_path / "clean", cs(tmp_path / "a.cs", records([(1000, 1000), (1010, 1000), (3000, 1000)])))
    again = records([(1000, 1000), (1010, 1000), (3000, 1000)], micrograph_psize_A=1.0221)
    again["uid"] += 100
    assert kept_of(directory, cs(tmp_path / "b.cs", again)) == [[True, False, True]]


def test_rows_without_dose_weighting_go_with_their_exposure(unique: Unique, tmp_path: Path) -> None:
    names = [unique.kept[1], unique.removed[0]]
    both = [name.replace(".mrc", f"{suffix}.mrc") for name in names for suffix in ("_DW", "_noDW")]
    (file,) = apply_choice(
        unique.directory, star(tmp_path / "ctf.star", [(name,) for name in both], "MicrographName", "", "micrographs")
    ).files
    assert file.kept.tolist() == [True, True, False, False]


def test_a_micrograph_that_may_be_a_kept_or_a_removed_one_stays(tmp_path: Path) -> None:
    known = ChosenMicrographs(
        label="unique",
        files=[],
        micrographs=[Micrograph(name=f"MotionCorr/job00{job}/Movies/x.mrc") for job in (2, 5)],
        verdicts=np.array([KEPT, REJECTED], np.uint8),
        versions=[],
        kept_for={},
    )
    asked = star(tmp_path / "p.star", [("x.mrc",), ("MotionCorr/job005/Movies/x.mrc",)], "MicrographName", "", "micrographs")
    match = by_micrographs(known, read_rows(asked, ParticleParams(), positions=False), ParticleParams())
    assert match.verdicts.tolist() == [UNKNOWN, REJECTED]
    assert "1 micrograph with both a kept and a removed match in unique, such as x.mrc: their rows are kept" in match.warnings[-1]


@pytest.mark.parametrize("name", ["duplicates.csv", "versions.csv", "micrographs_kept.star", "micrographs_removed.star", "summary.json"])
def test_an_edited_result_is_refused_or_gives_the_same_verdicts(tmp_path: Path, unique: Unique, name: str) -> None:
    """Mutants of a file of the result: one line of error, or the rows of the file as it was; other rows never without a warning."""
    table = star(tmp_path / "all.star", [(micrograph,) for micrograph in (*unique.kept, *unique.removed)], "MicrographName")
    expected = apply_choice(unique.directory, table)
    shutil.copytree(unique.directory, tmp_path / "edited", ignore=shutil.ignore_patterns("figures", "*.html", "stages"))
    path, rng, messages = tmp_path / "edited" / name, np.random.default_rng(5), list[str]()
    whole = path.read_bytes()
    for _ in range(250):
        mutations = [(int(kind), int(at), int(value)) for kind, at, value in rng.integers(0, 65536, (rng.integers(1, 4), 3))]
        path.write_bytes(mutated(whole, mutations))
        try:
            found = apply_choice(tmp_path / "edited", table)
        except InputError as error:
            messages.append(str(error))
            continue
        same = [file.kept.tolist() for file in found.files] == [file.kept.tolist() for file in expected.files]
        assert same or found.warnings != expected.warnings, mutations
    assert all(len(message.splitlines()) == 1 for message in messages)
    assert 0 < len(messages) < 250

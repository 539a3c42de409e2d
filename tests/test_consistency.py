"""What inputs mean together: datasets that fit or not, filaments, votes, half-sets, flipped y; what is said, and what not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cases import Ran, cs, needs_shared, optics, records, star
from cryodedup import InputError, ParticleParams, ParticleResult, apply_choice, deduplicate, deduplicate_particles
from cryodedup.particles.half_sets import HalfSets
from cryodedup.particles.inputs import consistency

Command = Callable[..., Ran]
ALIGNED = [("alignments2D/shift", "<f4", (2,)), ("alignments2D/psize_A", "<f4")]
BLOB = [("blob/path", "S8")]


def run(paths: Path | list[Path], **params: object) -> ParticleResult:
    return deduplicate_particles(paths, ParticleParams(**params))


def split(tmp_path: Path, n: int = 3, names: tuple[str, ...] = ("main", "passthrough")) -> list[Path]:
    """A job's main file, without locations, and its passthrough file."""
    whole = records([(100 * i, 100) for i in range(n)], [*ALIGNED, *BLOB], ncc_score=np.arange(n))
    whole["alignments2D/psize_A"] = 1
    main = np.zeros(n, [(name, whole.dtype[name]) for name in ("uid", "alignments2D/shift", "alignments2D/psize_A", "blob/path")])
    for name in main.dtype.names:
        main[name] = whole[name]
    fields = [name for name in whole.dtype.names if name.startswith(("uid", "location", "pick"))]
    rest = np.zeros(n, [(name, whole.dtype[name]) for name in fields])
    for name in fields:
        rest[name] = whole[name]
    return [cs(tmp_path / f"J1_{name}.cs", array) for name, array in zip(names, (main, rest), strict=True)]


def test_two_main_files_of_one_passthrough_are_refused_in_any_order(tmp_path: Path) -> None:
    main, passthrough = split(tmp_path)
    other = tmp_path / "J2_main.cs"
    other.write_bytes(main.read_bytes())
    for inputs in ([main, passthrough, other], [other, main, passthrough], [passthrough, other, main]):
        with pytest.raises(InputError, match=r"found two main files of the particles in .*J1_passthrough") as error:
            run(inputs)
        assert "J1_main.cs" in str(error.value)
        assert "J2_main.cs" in str(error.value)
    copy = tmp_path / "J3_passthrough.cs"
    copy.write_bytes(passthrough.read_bytes())
    with pytest.raises(
        InputError, match=r"J1_main\.cs: found the same particles \(by uid\) in .*J1_passthrough\.cs and .*J3_passthrough\.cs"
    ):
        run([main, passthrough, copy])


def test_two_alignments_of_the_same_particles_are_refused(tmp_path: Path) -> None:
    whole = records([(100, 100), (300, 300)], ALIGNED)
    whole["alignments2D/psize_A"] = 1
    first, second = cs(tmp_path / "J1.cs", whole), cs(tmp_path / "J2.cs", whole)
    with pytest.raises(InputError, match=r"J2\.cs: found the same particles \(by uid\) as in .*J1\.cs, with alignments in both"):
        run([first, second])


def test_a_passthrough_alone_warns(tmp_path: Path) -> None:
    main, passthrough = split(tmp_path)
    assert "a passthrough file without its main file: the output files have no images (blob/path)" in run(passthrough).warnings[0]
    assert run([main, passthrough]).warnings == ()


def test_a_lone_group_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "p.csg").write_text(
        "group: {}\nresults:\n  location: {metafile: '>p.cs', num_items: 1, type: particle.location}\nversion: v4\n"
    )
    with pytest.raises(
        InputError,
        match=r"p\.csg: found no p\.cs beside it, although it refers to that file, expected it: a \.csg contains no particles itself; export the whole result group",
    ):
        run(tmp_path / "p.csg")


def test_kept_and_rejected_groups_have_titles_of_their_own(tmp_path: Path) -> None:
    result = run(cs(tmp_path / "p.cs", records([(100, 100), (105, 100)])))
    result.write(tmp_path / "out", report=False)
    titles = [(tmp_path / "out" / f"particles_{word}.csg").read_text().split("title: ")[1].splitlines()[0] for word in ("kept", "rejected")]
    assert titles == ["Particles kept", "Particles rejected"]
    again = run(tmp_path / "out" / "particles_kept.csg")
    again.write(tmp_path / "again", report=False)
    assert "title: Particles kept\n" in (tmp_path / "again" / "particles_kept.csg").read_text()


def test_text_of_any_width_decodes(tmp_path: Path) -> None:
    array = records([(100, 100), (105, 100), (100, 100)])
    names = ["J2/µ_a.mrc", "J2/µ_a.mrc", "J2/b.mrc"]
    wide = np.zeros(3, [(name, "<U48" if name.endswith("_path") else array.dtype[name]) for name in array.dtype.names])
    for name in array.dtype.names:
        wide[name] = names if name.endswith("_path") else array[name]
    wide["location/micrograph_uid"] = 0
    path = cs(tmp_path / "p.cs", wide)
    result = run(path)
    assert [micrograph.name for micrograph in result.sources[0].picks.micrographs] == ["J2/µ_a.mrc", "J2/b.mrc"]
    assert result.kept.tolist() == [True, False, True]
    stars = star(tmp_path / "p.star", [(100, 100, "J2/µ_a.mrc")])
    assert run([path, stars], pixel_size_a={"p.star": 1.0}).kept.tolist() == [True, False, True, False]


def test_segments_of_a_filament_within_the_separation_warn(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName HelicalTubeID"
    rows = [(100 + 14 * i, 100 * tube, "m", tube) for tube in (1, 2) for i in range(20)]
    path = star(tmp_path / "p.star", rows, columns)
    assert (
        "segments of a filament (rlnHelicalTubeID) are 14.0 Å apart (median), within the minimum separation of 20 Å"
        in run(path, pixel_size_a=1).warnings[0]
    )
    assert run(path, pixel_size_a=1, min_separation_a=10).warnings == ()
    array = records(
        [row[:2] for row in rows], [("filament/filament_uid", "<u8"), ("filament/position_A", "<f4")], ncc_score=np.arange(len(rows))
    )
    array["filament/filament_uid"] = [10**18 + row[3] for row in rows]
    assert "(filament/filament_uid) are 14.0 Å apart" in run(cs(tmp_path / "p.cs", array)).warnings[0]
    array["filament/filament_uid"] = 0
    assert run(cs(tmp_path / "p.cs", array), min_separation_a=10).warnings == ()


def picked(path: Path, *places: tuple[object, ...]) -> Path:
    return star(path, [(x, y, m) for m, x, y in places])


def test_votes_count_inputs_that_cover_the_micrograph(command: Command, tmp_path: Path) -> None:
    first = picked(tmp_path / "a.star", ("m", 100, 100), ("m", 500, 500), ("n", 100, 100), ("o", 100, 100))
    second = picked(tmp_path / "b.star", ("m", 102, 100), ("m", 900, 900))
    inputs = [first, second]
    covered = run(inputs, pixel_size_a=1, min_votes=2)
    assert covered.kept.tolist() == [True, False, True, True, False, False]
    assert "2 micrographs covered by fewer than 2 inputs: 2 particles kept there with fewer votes" in covered.warnings[-1]
    everywhere = run(inputs, pixel_size_a=1, min_votes=2, votes_where="all")
    assert everywhere.kept.tolist() == [True, False, False, False, False, False]
    assert 'no particle can be kept there (votes_where="all")' in everywhere.warnings[-1]
    table = star(tmp_path / "mics.star", [("m", 1), ("n", 1)], "MicrographName OpticsGroup", optics((1, "o", 1.0)), "micrographs")
    decided = run(inputs, micrographs=table, pixel_size_a=1, min_votes=2)
    assert decided.kept.tolist() == [True, False, False, True, False, False]
    ran = command("particles", *inputs, "--pixel-size", 1, "--min-votes", 2, "--votes-where", "all", "--dry-run")
    assert "kept 1, rejected 5" in ran.out


def test_an_empty_file_may_have_fewer_axes(tmp_path: Path) -> None:
    deep = star(tmp_path / "deep.star", [(0, 0, 1, "t"), (0, 0, 2, "t")], "CoordinateX CoordinateY CoordinateZ TomoName")
    flat = star(tmp_path / "flat.star", [], "CoordinateX CoordinateY TomoName")
    result = deduplicate_particles([flat, deep], ParticleParams(pixel_size_a=1))
    assert result.kept.tolist() == [True, False]
    result.write(tmp_path / "out", report=False)
    assert apply_choice(tmp_path / "out", deep).files[0].kept.tolist() == [True, False]


def test_an_empty_file_of_picks_covers(tmp_path: Path) -> None:
    for name, text in (("a/m.box", "0 0 10 10\n"), ("a/n.box", "0 0 10 10\n"), ("b/m.box", "1 0 10 10\n"), ("b/n.box", "")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    result = run([tmp_path / "a", tmp_path / "b"], pixel_size_a=1, min_votes=2)
    assert result.kept.tolist() == [True, False, False]
    (tmp_path / "b" / "n.box").unlink()
    assert run([tmp_path / "a", tmp_path / "b"], pixel_size_a=1, min_votes=2).kept.tolist() == [True, True, False]


def test_picks_in_down_sampled_pixels_are_noticed(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    xy = rng.uniform((50, 50), (3950, 2950), (400, 2))
    full = star(tmp_path / "full.star", [(*row, "a.mrc") for row in xy.round(2)])
    for factor, noticed in ((8, True), (2, True), (1.6, True), (1.2, False), (1, False)):
        others = (xy[:300] + rng.normal(0, 3, (300, 2))) / factor
        picked = star(tmp_path / "topaz.star", [(*row, "a.mrc") for row in others.round(3)])
        result = run([full, picked], pixel_size_a=1.0)
        assert any(f"its coordinates reach only {100 / factor:.0f} % as far" in warning for warning in result.warnings) == noticed, factor
    # A corner alone is no scale: nothing was picked at the right.
    corner = star(tmp_path / "topaz.star", [(*row, "a.mrc") for row in xy[xy[:, 0] < 1500].round(2)])
    assert not any("reach only" in warning for warning in run([full, corner], pixel_size_a=1.0).warnings)
    picked = star(tmp_path / "topaz.star", [(*row, "a.mrc") for row in (xy / 8).round(3)])
    mended = run([full, picked], pixel_size_a={"full": 1.0, "topaz": 8.0})
    assert not any("reach only" in warning for warning in mended.warnings)
    assert len(mended.rejected) > 380


def test_of_many_inputs_few_are_compared_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every pair, 1,000 inputs took ten minutes; what is found is the same."""
    rng = np.random.default_rng(3)
    source_of = np.repeat(np.arange(30, dtype=np.uint32), 400)
    micrograph_of = rng.integers(0, 40, len(source_of)).astype(np.uint32)
    picks: Any = [SimpleNamespace(label=str(i)) for i in range(30)]
    calls: list[int] = []
    compare = consistency._times_farther

    def counted(*places: Any) -> float | None:
        calls.append(1)
        return compare(*places)

    monkeypatch.setattr(consistency, "_times_farther", counted)
    shared = np.full((30, 30), 40)
    for shrunk in ([], [4, 17]):
        places = rng.random((len(source_of), 2)) * [5760, 4092] * np.where(np.isin(source_of, shrunk), 0.5, 1)[:, None]
        places[rng.integers(0, len(places), 20)] *= 3  # far outside of the image
        warnings = consistency.shrunk(picks, places, micrograph_of, source_of, shared)
        assert [warning.partition(":")[0] for warning in warnings] == [str(i) for i in shrunk]
        assert len(calls) < 90, "of 870 pairs"
        calls.clear()


@pytest.mark.parametrize("separation", [5.0, 20.0, 80.0, 200.0])
def test_flipped_y_is_noticed_at_any_separation(tmp_path: Path, separation: float) -> None:
    rng = np.random.default_rng(8)
    xy = rng.uniform((50, 50), (3950, 1950), (300, 2))
    stars = star(tmp_path / "p.star", [(*row, "a.mrc") for row in (xy + rng.normal(0, 3, xy.shape)).round(2)])
    turned = cs(tmp_path / "p.cs", records(xy * (1, -1) + (0, 2000)))
    right = cs(tmp_path / "q.cs", records(xy))
    result = run([stars, turned], pixel_size_a={"p.star": 1.0}, min_separation_a=separation)
    assert any("with flip_y: y seems to be counted from opposite edges" in warning for warning in result.warnings)
    for inputs, params in (([stars, right], {}), ([stars, turned], {"flip_y": True})):
        result = run(inputs, pixel_size_a={"p.star": 1.0}, min_separation_a=separation, **params)
        assert not any("flip_y" in warning for warning in result.warnings)


FRAMES = {
    "y seems to be counted from the opposite edge": lambda x, y: (x, 4091 - y),
    "x seems to be counted from the opposite edge": lambda x, y: (5760 - x, y),
    "x and y seem to be swapped, compared with": lambda x, y: (y, x),
    "its coordinates are shifted by -110, -110 Å, compared with": lambda x, y: (x - 110, y - 110),
    "turned by 90 degrees": lambda x, y: (y, 5760 - x),
}


@pytest.mark.parametrize("said", FRAMES)
def test_tables_in_other_frames_are_noticed(tmp_path: Path, said: str) -> None:
    """As another program exports them: 5 to 10 of 600 duplicates are found, and all would be."""
    rng = np.random.default_rng(5)
    places = [(f"m{i % 6}", x, y) for i, (x, y) in enumerate(rng.uniform(150, (5600, 3950), (600, 2)))]
    picked = star(tmp_path / "a.star", [(x, y, m) for m, x, y in places])
    moved = [(*np.add(FRAMES[said](x, y), rng.normal(0, 4, 2)), m) for m, x, y in places]
    result = run([picked, star(tmp_path / "b.star", moved)], pixel_size_a=1)
    (warning,) = [warning for warning in result.warnings if "after this is corrected" in warning]
    assert said in warning
    assert int(warning.partition(" would have one after this is corrected")[0].rpartition(" ")[2]) >= 590
    same = [(x + rng.normal(0, 4), y, m) for m, x, y in places if rng.random() < 0.3] + [
        (*rng.uniform(0, 4000, 2), "m1") for _ in range(200)
    ]
    assert not any(
        "after this is corrected" in warning for warning in run([picked, star(tmp_path / "c.star", same)], pixel_size_a=1).warnings
    )


def test_halves_of_a_lattice_are_in_one_frame(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    rows = [(100 * (i % 30) + 50, 100 * (i // 30) + 50, f"m{k}") for k in range(3) for i in range(900)]
    mine = rng.random(len(rows)) < 0.5
    parts = [
        star(tmp_path / f"{name}.star", [row for row, own in zip(rows, of, strict=True) if own]) for name, of in (("a", mine), ("b", ~mine))
    ]
    assert not any("after this is corrected" in warning for warning in run(parts, pixel_size_a=1).warnings)


@needs_shared
def test_flipped_y_of_real_picks(real: Path, derived: Path, tmp_path: Path) -> None:
    from cryodedup.formats.cryosparc import NpyFile

    path = derived / "J20_sppractice_passthrough_particles.cs"
    file = NpyFile.open(path)
    array = np.fromfile(path, file.dtype, offset=file.start)
    array["location/center_y_frac"] = 1 - array["location/center_y_frac"]
    inputs = [cs(tmp_path / "turned.cs", array), real / "em-testdata/run_it025_data.star"]
    result = run(inputs, shift_key="none", min_separation_a=80)
    assert any("with flip_y" in warning for warning in result.warnings)
    assert not any("flip_y" in warning for warning in run([path, inputs[1]], shift_key="none", min_separation_a=80).warnings)


@pytest.mark.parametrize(
    ("fsc", "grade"), [(0.0, "none"), (0.02, "none"), (0.0204, "none"), (0.021, "present"), (0.1424, "present"), (0.1426, "reaches the threshold"), (0.143, "reaches the threshold")]
)  # fmt: skip
def test_half_sets_are_graded_by_the_number_that_is_printed(fsc: float, grade: str) -> None:
    assert HalfSets((100, 100), 1, 2, fsc).grade == grade


HALVES = "CoordinateX CoordinateY MicrographName RandomSubset"


def test_the_verdict_is_the_same_everywhere(command: Command, tmp_path: Path) -> None:
    rows = [(1000 * i, 0, "m", 1 + i % 2) for i in range(100)]
    for twice, grade, words in (
        (0, "none", "no pairs of duplicates within 20 Å lie across them; their effect on the FSC is negligible (0.000)"),
        (5, "present", "raises the FSC to 0.095, below the 0.143 threshold"),
        (40, "reaches the threshold", "raises the FSC to 0.571, above the 0.143 threshold"),
    ):
        path = star(tmp_path / "p.star", rows + [(1000 * i + 2, 0, "m", 2 - i % 2) for i in range(twice)], HALVES)
        ran = command("particles", path, "--pixel-size", 1, "-o", tmp_path / "out", "--overwrite")
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert summary["half_sets"]["verdict"] == grade
        assert words in ran.out
        assert any(words in warning for warning in summary["warnings"]) == (grade != "none")
        page = (tmp_path / "out" / "report.html").read_text().replace("\u00a0", " ")
        assert words in page
        top = page.split('<p class="verdict">')[1].split("</header>")[0]
        assert (words in top) == (grade != "none")


def test_sets_that_are_not_yet_refined_say_nothing(tmp_path: Path) -> None:
    array = records([(100, 100), (900, 900)], [("alignments3D/split", "<u4")], ncc_score=[1, 2])
    result = run(cs(tmp_path / "p.cs", array))
    assert (result.warnings, result.half_sets) == ((), None)
    array["alignments3D/split"] = [0, 1]
    assert run(cs(tmp_path / "q.cs", array)).half_sets is not None


def test_removing_entirely_from_several_inputs_warns(tmp_path: Path) -> None:
    inputs = [picked(tmp_path / f"{name}.star", ("m", 100, 100), ("m", x, 500)) for name, x in (("a", 500), ("b", 900))]
    result = run(inputs, pixel_size_a=1, remove_entirely=True)
    assert result.kept.tolist() == [False, True, False, True]
    assert "particles that two of them found are rejected in both" in result.warnings[0]
    assert run(inputs[0], pixel_size_a=1, remove_entirely=True).warnings == ()


def test_the_page_changes_no_number_and_no_warning(command: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    places = rng.uniform(0, 4000, (400, 2))
    rows = [(*place, "m", 1 + i % 2) for i, place in enumerate([*places, *(places[:150] + rng.normal(0, 5, (150, 2)))])]
    path = star(tmp_path / "p.star", rows, HALVES)
    told = []
    for flags in ([], ["--no-report"]):
        assert (
            command("particles", path, "--pixel-size", 1, "--min-separation", 300, "-o", tmp_path / "out", "--overwrite", *flags).status
            == 0
        )
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        told.append({name: value for name, value in summary.items() if name not in ("times_s", "outputs")})
    assert told[0] == told[1]
    dry = json.loads(command("particles", path, "--pixel-size", 1, "--min-separation", 300, "--dry-run", "--json").out)
    assert dry["warnings"] == told[0]["warnings"]


def test_an_index_keeps_its_names_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "Pick").mkdir()
    for name in "ab":
        (tmp_path / f"Pick/{name}_autopick.star").write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n0 0\n1 0\n")
    lines = ['"a#1 x.mrc"   Pick/a_autopick.star \n', "'it\"s.mrc' Pick/b_autopick.star\n"]
    index = tmp_path / "Pick/autopick.star"
    index.write_text("data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n" + "".join(lines) + "\n# end\n")
    run(index, pixel_size_a=1).write(tmp_path / "Pick" / "clean", report=False)
    text = (tmp_path / "Pick" / "clean" / "autopick_kept.star").read_text()
    assert text == index.read_text().replace("Pick/", "Pick/clean/autopick_kept/")


def test_subtracted_particles_warn(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName ImageName ImageOriginalName"
    rows = [(100, 100, "m", f"{i}@{job}/subtracted_rank0.mrcs", f"{i}@Extract/m.mrcs") for job in ("Subtract/job9",) for i in (1, 2)]
    assert "images from RELION's particle subtraction" in run(star(tmp_path / "p.star", rows, columns), pixel_size_a=1).warnings[0]
    rows = [(100 * i, 100, "m", f"{i}@Polish/m.mrcs", f"{i}@Extract/m.mrcs") for i in (1, 2)]
    assert run(star(tmp_path / "q.star", rows, columns), pixel_size_a=1).warnings == ()


def box(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


def test_a_file_that_is_read_twice_is_refused(tmp_path: Path) -> None:
    columns = "TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst"
    particles = star(tmp_path / "particles.star", [("t", 0, 0, 0), ("t", 90, 0, 0)], columns)
    (tmp_path / "optimisation_set.star").write_text("data_\n\n_rlnTomoParticlesFile particles.star\n_rlnTomoTomogramsFile t.star\n")
    one = box(tmp_path / "picks/a.box", "0 0 10 10")
    (tmp_path / "link.star").hardlink_to(particles)
    whole = cs(tmp_path / "p.cs", records([(100, 100), (300, 300)]))
    (tmp_path / "p.csg").write_text(
        "group: {}\nresults:\n  location: {metafile: '>p.cs', num_items: 2, type: particle.location}\nversion: v4\n"
    )
    for inputs in (
        [tmp_path / "optimisation_set.star", particles],
        [particles, tmp_path / "link.star"],
        [tmp_path / "picks", one],
        [tmp_path / "p.csg", whole],
    ):
        with pytest.raises(InputError, match=r"found twice"):
            run(inputs, pixel_size_a=None)


def test_coordinates_that_were_never_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found coordinates of 0, 0 for 3 of 3 particles, as if they had never been set"):
        run(star(tmp_path / "p.star", [(0, 0, "m")] * 3), pixel_size_a=1)
    with pytest.raises(InputError, match="found coordinates of 0, 0 for 3 of 3 particles"):
        run(cs(tmp_path / "p.cs", records([(0, 0)] * 3)))
    half = records([(0, 0) if i % 2 else (100 * i, 50) for i in range(40)], micrograph_uid=np.arange(40) // 2 + 1)
    with pytest.raises(InputError, match="found coordinates of 0, 0 for 20 of 40 particles"):  # one in each micrograph
        run(cs(tmp_path / "h.cs", half))
    assert run(cs(tmp_path / "c.cs", records([(0, 0), (0, 0), *((90 * i, 90) for i in range(1, 30))]))).kept.sum() == 30  # at the corner
    with pytest.raises(InputError, match=r"row 0: found a location of 12, 12, expected fractions from 0 to 1"):
        run(cs(tmp_path / "q.cs", records([(48000, 24000), (48040, 24000)])))


def test_fractions_with_one_outside_are_fractions(tmp_path: Path) -> None:
    rows = [("t.tomostar", *place) for place in ((0.1, 0.2, 0.3), (0.8, 0.2, 1.02), (0.5, 0.5, 0.5))]
    with pytest.raises(InputError, match="found coordinates that lie from 0 to 1, as Warp's template matching"):
        run(star(tmp_path / "p.star", rows, "MicrographName CoordinateX CoordinateY CoordinateZ"), pixel_size_a=10)


def test_particles_of_several_stacks_need_their_micrographs(tmp_path: Path) -> None:
    rows = [(100 * i, 50, f"{i:06d}@Extract/job005/m{i % 3}.mrcs") for i in range(9)]
    with pytest.raises(InputError, match=r"found no rlnMicrographName, but images in several stacks \(rlnImageName: Extract/job005/m0"):
        run(star(tmp_path / "p.star", rows, "CoordinateX CoordinateY ImageName"), pixel_size_a=1)
    unset = [(*row, "None") for row in rows]
    with pytest.raises(InputError, match="images in several stacks"):
        run(star(tmp_path / "n.star", unset, "CoordinateX CoordinateY ImageName MicrographName"), pixel_size_a=1)
    one = star(tmp_path / "q.star", [(x, y, image[:-6] + "0.mrcs") for x, y, image in rows], "CoordinateX CoordinateY ImageName")
    assert "all its particles are put into one micrograph" in run(one, pixel_size_a=1).warnings[0]


@needs_shared
def test_a_real_table_without_micrographs_is_refused(real: Path, tmp_path: Path) -> None:
    text = (real / "em-testdata" / "run_it025_data.star").read_text().replace("_rlnMicrographName", "_rlnWithoutName")
    (tmp_path / "p.star").write_text(text)
    with pytest.raises(InputError, match="images in several stacks"):
        run(tmp_path / "p.star", pixel_size_a=0.885)


def test_one_origin_of_two_is_not_none(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(100, 100, "m", 5)], "CoordinateX CoordinateY MicrographName OriginYAngst")
    result = run(path, pixel_size_a=1)
    assert (result.centres.shift_key, result.coordinates_a.tolist()) == ("alignments2D", [[100, 95]])
    assert "found no rlnOriginXAngst, but the origin along another axis: it is set to 0" in result.warnings[0]
    assert run(path, pixel_size_a=1, shift_key="none").warnings == ()


@pytest.mark.parametrize("key", ["alignments_class_0", "alignments3D_multi"])
def test_shifts_of_classes_are_not_none(key: str, tmp_path: Path) -> None:
    path = cs(tmp_path / "p.cs", records([(100, 100), (300, 300)], [(f"{key}/shift", "<f4", (2,))]))
    said = f"shifts of several classes ({key})"
    assert said in run(path).warnings[0]
    assert not any(said in warning for warning in run(path, shift_key="none").warnings)


def test_copies_of_an_expansion_are_noticed_by_their_images(tmp_path: Path) -> None:
    """RELION's expansion writes each row once for each orientation, and nothing else tells that they are one particle."""
    columns = "CoordinateX CoordinateY MicrographName AngleRot ImageName"
    rows = [(100 * i + 50, 100, "m", 90 * k, f"{i + 1:06d}@m.mrcs") for i in range(200) for k in range(4)]
    path = star(tmp_path / "p.star", rows, columns)
    result = run(path, pixel_size_a=1)
    said = "600 of 600 rejected particles are copies of the particle that they duplicate (equal rlnImageName)"
    assert (int(result.kept.sum()), any(said in warning for warning in result.warnings)) == (200, True)
    others = star(tmp_path / "q.star", [(*row[:4], f"{i:06d}@m.mrcs") for i, row in enumerate(rows)], columns)
    assert not any("copies" in warning for warning in run(others, pixel_size_a=1).warnings)
    many = star(tmp_path / "r.star", rows * 3, columns)
    assert any("about 2,200 of 2,200 rejected particles are copies" in warning for warning in run(many, pixel_size_a=1).warnings)


def test_copies_that_were_shifted_to_subunits_are_no_duplicates(tmp_path: Path) -> None:
    array = records([(500, 500)] * 4 + [(900, 500)] * 2, [*ALIGNED, ("sym_expand/src_uid", "<u8")], src_uid=[9, 9, 9, 9, 8, 8])
    array["alignments2D/psize_A"] = 1
    array["alignments2D/shift"][:4] = [(60, 0), (-60, 0), (0, 60), (0, -60)]
    result = run(cs(tmp_path / "p.cs", array))
    assert result.kept.tolist() == [True] * 5 + [False]
    assert any(
        "1 of 1 rejected particles are copies of the particle that they duplicate (equal sym_expand/src_uid)" in w for w in result.warnings
    )
    assert not any("are copies" in warning for warning in run(cs(tmp_path / "q.cs", array[:4])).warnings)


@pytest.mark.parametrize("program", ["relion", "cryosparc"])
def test_2d_shifts_of_several_jobs_are_not_used(program: str, tmp_path: Path) -> None:
    """One rule for a joined file and for its parts: classes of two jobs have centres of their own."""

    def write(name: str, jobs: list[int]) -> Path:
        if program == "relion":
            rows = [(100 * i, 100, "m", 5 * i, 0, f"{i:06d}@Extract/job{job:03d}/m.mrcs") for i, job in enumerate(jobs)]
            return star(tmp_path / f"{name}.star", rows, "CoordinateX CoordinateY MicrographName OriginXAngst OriginYAngst ImageName")
        array = records([(100 * i, 100) for i in range(len(jobs))], [*ALIGNED, ("blob/path", "S20")])
        array["alignments2D/psize_A"], array["uid"] = 1, np.arange(len(jobs)) + 1000 * jobs[0] + len(jobs)
        array["blob/path"] = [f"J{job}/extract/m.mrc".encode() for job in jobs]
        return cs(tmp_path / f"{name}.cs", array)

    size = {"pixel_size_a": 1} if program == "relion" else {}
    one, two, joined = write("one", [5] * 3), write("two", [7] * 4), write("joined", [5] * 3 + [7] * 3)
    assert run(one, **size).centres.shift_key == "alignments2D"
    assert run([one, two], **size).centres.shift_key == "none"
    result = run(joined, **size)
    jobs = "Extract/job005, Extract/job007" if program == "relion" else "J5, J7"
    assert result.centres.shift_key == "none"
    assert any(
        f"images of 2 jobs ({jobs}): its 2D shifts are not used, since they may be from several classifications" in warning
        for warning in result.warnings
    )
    assert run(joined, shift_key="alignments2D", **size).centres.shift_key == "alignments2D"


def test_origins_that_are_set_in_some_rows(tmp_path: Path) -> None:
    array = records([(100, 100), (100, 100), (300, 100), (500, 100), (500, 100)], [("sym_expand/src_uid", "<u8")], src_uid=[9, 9, 0, 0, 0])
    assert run(cs(tmp_path / "p.cs", array), undo_symmetry_expansion=True).kept.tolist() == [True, False, True, True, False]


def test_particles_that_two_groups_align_otherwise_are_refused(tmp_path: Path) -> None:
    inputs = []
    for name, shift, count in (("J1", 0, 3), ("J2", 30, 2)):
        array = records([(100, 100), (300, 300), (600, 600)][:count], ALIGNED, ncc_score=np.arange(count))
        array["alignments2D/psize_A"], array["alignments2D/shift"] = 1, shift
        (tmp_path / name).mkdir()
        cs(tmp_path / name / "p.cs", array)
        (tmp_path / name / "p.csg").write_text(
            f"results:\n  location: {{metafile: '>p.cs', num_items: {count}, type: particle.location}}\n"
        )
        inputs.append(tmp_path / name / "p.csg")
    with pytest.raises(
        InputError, match=r"J2.p\.csg: found 2 particles \(by uid\) aligned differently in .*J1.p\.csg, expected one alignment"
    ):
        run(inputs, shift_key="alignments2D")
    result = run(inputs, shift_key="none")
    assert (int(result.kept.sum()), "with the uid of another" in result.warnings[0]) == (3, True)


def test_options_that_no_input_has_a_use_for(tmp_path: Path) -> None:
    centred = "TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst"
    path = star(tmp_path / "p.star", [("TS_1", 0, 0, 0)], centred)
    table = star(tmp_path / "t.star", [("TS_9", 2.0)], "TomoName TomoTiltSeriesPixelSize", block="global")
    (tmp_path / "map.txt").write_text("1 TS_1\n")
    told = " ".join(run(path, pixel_size_a=4.0, flip_y=True, start_end=True, tomograms=tmp_path / "map.txt", micrographs=table).warnings)
    for words in (
        "pixel_size_a=4 not used: coordinates are in Å",
        "flip_y not used",
        "start_end not used",
        "tomograms not used",
        "names none of its tomograms, such as TS_1",
    ):
        assert words in told


def test_at_zero_separation_units_that_never_meet_are_said(tmp_path: Path) -> None:
    inputs = [cs(tmp_path / "p.cs", records([(100, 100)])), star(tmp_path / "p.star", [(100, 100, "a.mrc")])]
    result = run(inputs, min_separation_a=0, pixel_size_a={"p.star": 1.0})
    assert any(
        "store coordinates in different units: at a separation of 0 none of them are equal" in warning for warning in result.warnings
    )


def test_filaments_without_a_uid_warn(tmp_path: Path) -> None:
    array = records([(100 + 10 * i, 100) for i in range(9)], [("filament/position_A", "<f4")], ncc_score=np.arange(9))
    assert (
        "segments of a filament (filament/position_A) are 10.0 Å apart"
        in run(cs(tmp_path / "p.cs", array), min_separation_a=50).warnings[0]
    )


def test_coordinate_files_keep_their_units_and_filaments(tmp_path: Path) -> None:
    head = "data_\n\nloop_\n" + "".join(
        f"_rln{label}\n" for label in ("CoordinateX", "CoordinateY", "HelicalTubeID", "MicrographPixelSize")
    )
    path = tmp_path / "a_autopick.star"
    path.write_text(head + "".join(f"{100 + 10 * i} 100 1 2.0\n" for i in range(9)))
    result = run(path, min_separation_a=50)
    assert result.coordinates_a[0].tolist() == [200, 200]
    assert any("segments of a filament" in warning for warning in result.warnings)
    with pytest.raises(InputError, match="pixel_size_a=5, while rlnMicrographPixelSize gives 2 Å"):
        run(path, pixel_size_a=5)
    centred = tmp_path / "TS_1_particles.star"
    centred.write_text("data_\n\nloop_\n" + "".join(f"_rlnCenteredCoordinate{axis}Angst\n" for axis in "XYZ") + "10 0 0\n18 0 0\n90 0 0\n")
    assert run(centred).kept.tolist() == [True, False, True]


def test_a_data_frame_with_one_label_twice_is_refused() -> None:
    import pandas as pd

    frame = pd.DataFrame([[1, 2, "m", 3]], columns=["rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName", "rlnCoordinateX"])
    with pytest.raises(InputError, match="table: found the column rlnCoordinateX twice, expected each once"):
        deduplicate_particles(frame, ParticleParams(pixel_size_a=1))


def test_notes_are_there_before_anything_is_written(command: Command, tmp_path: Path) -> None:
    inputs = [picked(tmp_path / "a.star", ("s1/x.mrc", 100, 100)), picked(tmp_path / "b.star", ("x_DW.mrc", 100, 100))]
    assert "matched by name: 1 micrograph, such as s1/x.mrc of" in run(inputs, pixel_size_a=1).notes[0]
    assert "note: matched by name: 1 micrograph" in command("particles", *inputs, "--pixel-size", 1, "--dry-run").out


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ParticleParams(flip_y="yes"), "flip_y: found 'yes', expected True or False"),  # type: ignore[arg-type]
        (lambda: ParticleParams(remove_entirely=np.ones(3)), "remove_entirely: found array"),  # type: ignore[arg-type]
        (lambda: ParticleParams(micrographs=3), "micrographs: found 3, expected a path"),  # type: ignore[arg-type]
        (
            lambda: ParticleParams(pixel_size_a={1: 2.0}),
            "pixel_size_a: found {1: 2.0}, expected a positive number of Å, or a mapping of names of inputs",
        ),  # type: ignore[dict-item]
        (lambda: ParticleParams(min_separation_a=10**400), "min_separation_a: found 1000"),
        (lambda: deduplicate_particles("x.star", {}), "params: found dict, expected ParticleParams"),  # type: ignore[arg-type]
        (lambda: deduplicate([[0, 0]], groups=np.ma.masked_array([1], [True])), "groups: found a masked array"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as raised:
        call()
    assert str(raised.value).startswith(message)


def test_what_was_chosen_does_not_change(tmp_path: Path) -> None:
    result = deduplicate_particles(star(tmp_path / "p.star", [(0, 0, "m"), (1, 0, "m")]), ParticleParams(pixel_size_a=1))
    for column in (result.kept, result.rejected, result.duplicate_of, result.distances_a):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


def test_a_kept_table_is_of_the_file_that_was_read(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(0, 0, "m"), (1, 0, "m")])
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1))
    path.write_text(path.read_text() + "9 9 m\n")
    with pytest.raises(InputError, match="found that it was changed after it had been read"):
        result.kept_table()

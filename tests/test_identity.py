"""Which micrographs of different inputs are the same."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import mrcfile
import numpy as np
import pandas
import pytest
import starfile
from hypothesis import given
from hypothesis import strategies as st

from cases import Ran, cs, needs_shared, records, star
from cryodedup import InputError, ParticleParams, deduplicate_particles
from cryodedup.names import as_options
from cryodedup.particles.inputs.identity import Matched, same_as, unify
from cryodedup.particles.inputs.matcher import Coincidence
from cryodedup.particles.inputs.micrograph_names import Name, normalised_path
from cryodedup.particles.inputs.picks import Micrograph

Command = Callable[..., Ran]
UID = "013098427457127233138"


def named(*names: str, **known: object) -> list[Micrograph]:
    return [Micrograph(name=name, **known) for name in names]


def match(*inputs: list[Micrograph], how: str = "auto") -> Matched:
    return unify([("ABCDEF"[i], micrographs) for i, micrographs in enumerate(inputs)], how)


@pytest.mark.parametrize("name", ["x/a.mrc", "./x/a.mrc", "x//a.mrc", ">x/a.mrc", ">./x/./a.mrc", "x\\a.mrc"])
def test_spellings_of_one_path(name: str) -> None:
    assert normalised_path(name) == "x/a.mrc"
    assert match(named("x/a.mrc"), named(name)).numbers == [[0], [0]]


@pytest.mark.parametrize(
    "name",
    [
        "x_dw.mrc", "x_DW.mrc", "x_DWS.mrc", "x_noDW.mrc", "x_aligned.mrc", "x_frameImage.mrc", "x_SumCorr.mrc", "x_rigid_aligned.mrc", "x_motion_corrected.mrc",
        "x_PS.mrc", "x_frames.tif", "x.frames.mrc", "x_denoised.mrc", "x_aligned_mic.mrc", "x_aligned_mic_DW.mrc", "x.mrc.gz", "x.MRC", "x.TIFF", "x.Mrc.bz2",
        "x_patch_aligned_doseweighted.mrc", f"{UID}_x_patch_aligned.mrc", "x_Fractions_patch_aligned.mrc", "x_15.00Apx.mrc", "x.mrc.tomostar", "x",
    ],
)  # fmt: skip
def test_suffixes_of_processing(name: str) -> None:
    assert Name.of(name).stem == "x"
    assert match(named("d/x.mrc"), named(f"e/{name}")).count == 1


@pytest.mark.parametrize("name", ["x_1.mrc", "x_EVN.mrc", "x_sum.mrc", "x_DW2.mrc", "_DW.mrc", "x_frames_2.mrc", "y_x.mrc"])
def test_what_belongs_to_a_name(name: str) -> None:
    assert match(named("d/x.mrc"), named(f"e/{name}")).count == 2


@pytest.mark.parametrize(
    ("name", "stem", "uid"),
    [
        (f"{UID}_x.mrc", "x", int(UID)), ("13098427457127233138_x.mrc", "x", 13098427457127233138), (f"{UID}_{UID}_x.mrc", "x", int(UID)),
        ("20170629123456789_x.mrc", "20170629123456789_x", None), ("20170629_123456_x.mrc", "20170629_123456_x", None), ("1234567890123456_x.mrc", "1234567890123456_x", None),
        ("98765432109876543_x.mrc", "x", 98765432109876543), (f"{UID}.mrc", UID, None),
    ],
)  # fmt: skip
def test_cryosparcs_prefix_is_the_uid(name: str, stem: str, uid: int | None) -> None:
    found = Name.of(f"J1/{name}")
    assert (found.stem, found.uid) == (stem, uid)


def test_unequal_uids_never_merge() -> None:
    other = "013098427457127233139"
    assert match(named(f"a/{UID}_x.mrc"), named(f"b/{other}_x.mrc")).count == 2
    assert match(named(f"a/{UID}_x.mrc"), named("b/x.mrc", uid=int(other))).count == 2
    assert match(named(f"a/{UID}_x.mrc"), named("b/y.mrc", uid=int(UID))).count == 1
    inputs = named("a/x.mrc"), named(f"b/{UID}_x.mrc"), named(f"c/{other}_x.mrc")
    for order in permutations(inputs):
        with pytest.raises(InputError, match=r"micrograph a/x\.mrc: found two candidates by name"):
            match(*order)


def test_extents_tell_two_sessions_apart_and_binning_does_not() -> None:
    whole, binned, other = (
        named(f"{d}/x.mrc", extent_a=extent) for d, extent in (("a", (5000.0, 4000.0)), ("b", (4990.0, 3998.0)), ("c", (5000.0, 3600.0)))
    )
    assert match(whole, binned).count == 1
    assert match(whole, other).count == 2
    for order in permutations((whole, named("d/x.mrc"), other)):
        with pytest.raises(InputError, match=r"micrograph d/x\.mrc: found two candidates by name"):
            match(*order)


def partition(inputs: list[list[Micrograph]], order: tuple[int, ...]) -> set[frozenset[tuple[int, int]]] | None:
    """Places of the micrographs that are one, None if it was refused."""
    try:
        numbers = match(*(inputs[i] for i in order)).numbers
    except InputError:
        return None
    places: dict[int, set[tuple[int, int]]] = {}
    for i, mine in zip(order, numbers, strict=True):
        for row, number in enumerate(mine):
            places.setdefault(number, set()).add((i, row))
    return {frozenset(same) for same in places.values()}


micrographs = st.builds(
    lambda directory, name, suffix, uid: Micrograph(name=f"{directory}{name}{suffix}.mrc", uid=uid),
    st.sampled_from(["", "d1/", "d2/"]), st.sampled_from("ab"), st.sampled_from(["", "_DW"]), st.sampled_from([None, None, 7, 8]),
)  # fmt: skip


@given(st.lists(st.lists(micrographs, min_size=1, max_size=3, unique=True), min_size=2, max_size=4))
def test_the_order_of_inputs_decides_nothing_in_any_case(inputs: list[list[Micrograph]]) -> None:
    first, *others = permutations(range(len(inputs)))
    expected = partition(inputs, first)
    for order in others:
        assert partition(inputs, order) == expected


def test_names_that_meet_in_one_uid_are_refused() -> None:
    with pytest.raises(InputError, match=r"B: micrograph d/x\.mrc: found two candidates by name, x\.mrc of A and y\.mrc of A"):
        match(named("x.mrc", "y.mrc"), named("d/x.mrc", "d/y.mrc", uid=1))


def test_both_directories_in_one_input_are_two_unless_the_particles_coincide() -> None:
    one, two = named("session1/mic_1.mrc"), named("session2/mic_1.mrc")
    assert match(one, two).count == 1
    found = match(one, [*two, *named("session1/mic_2.mrc")])
    assert found.numbers == [[0], [1, 2]]
    assert list(map(as_options, found.warnings)) == [
        "1 micrograph with equal names treated as different, such as session1/mic_1.mrc of A and session2/mic_1.mrc of B; if they are the same, use"
        " --match name"
    ]
    assert match(one, two, named("session1/mic_7.mrc", "session2/mic_7.mrc")).numbers == [[0], [1], [2, 3]]
    assert match(named("session1/mic_1.mrc", "session2/mic_1.mrc"), named("session2/mic_1.mrc", "session3/mic_9.mrc")).numbers == [
        [0, 1],
        [1, 2],
    ]


M = "MotionCorr/job002/Movies"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (f"{M}/s1/x.mrc", "MotionCorr/job050/Movies/s1/x.mrc", True), (f"{M}/x.mrc", f"/data/p/{M}/x.mrc", True), (f"{M}/x.mrc", f"{M}/x_DW.mrc", True),
        (f"{M}/s1/x.mrc", "Movies/s1/x.tif", True), (f"{M}/s1/x.mrc", "s1/x.tif", True), (f"{M}/x.mrc", "x", True), (f"/a/{M}/x.mrc", f"/b/{M}/x.mrc", None),
        (f"{M}/s1/x.mrc", f"{M}/s2/x.mrc", False), (f"/data/p/{M}/s1/x.mrc", f"{M}/s2/x.mrc", False), (f"{M}/s1/x.mrc", "MotionCorr/job050/Movies/s2/x.mrc", None),
        ("J2/motioncorrected/x_patch_aligned.mrc", f"{M}/x.mrc", True), (f"J2/imported/{UID}_x.mrc", "J7/imported/013098427457127233139_x.mrc", None),
        (f"J2/imported/{UID}_x.mrc", "J2/imported/013098427457127233139_x.mrc", False), ("Movies/x.mrc", "Micrographs/x.mrc", None),
    ],
)  # fmt: skip
def test_what_the_paths_say_in_one_input_and_in_two(first: str, second: str, same: bool | None) -> None:
    """None: it is left to the particles."""
    for inputs in ([named(first, second)], [named(first), named(second)]):
        for particles_coincide in (True, False):
            found = unify(
                list(zip("AB", inputs, strict=False)),
                "auto",
                lambda pairs, one=particles_coincide: dict.fromkeys(pairs, Coincidence(one, "")),
            )
            assert found.count == (1 if (particles_coincide if same is None else same) else 2)
        assert match(*inputs, how="name").count == 1
        assert match(*inputs, how="path").count == 2


def test_matching_by_name_alone_is_said_with_both_paths() -> None:
    found = match(named("session1/mic_1.mrc", "session1/mic_2.mrc"), named("session2/mic_1.mrc", "session2/mic_2.mrc"))
    assert found.numbers == [[0, 1], [0, 1]]
    assert list(map(as_options, found.warnings)) == [
        "2 micrographs with equal names in different directories treated as the same, such as session1/mic_1.mrc of A and session2/mic_1.mrc of B; if"
        " they are different, use --match path"
    ]
    programs = match(named("MotionCorr/x.mrc"), named(f"J2/{UID}_x_patch_aligned.mrc"))
    assert programs.warnings == []
    assert programs.notes == [f"matched by name: 1 micrograph, such as MotionCorr/x.mrc of A and J2/{UID}_x_patch_aligned.mrc of B"]


def test_an_explicit_rule_goes_before_the_evidence() -> None:
    first, again = named(f"a/{UID}_x.mrc", uid=int(UID)), named("b/013098427457127233139_x.mrc", uid=13098427457127233139)
    assert match(first, again).count == 2  # imported once more, one exposure gets a new uid
    by_name = match(first, again, how="name")
    assert by_name.count == 1
    assert "--match name overrides the evidence: 1 micrograph treated as the same" in as_options(by_name.warnings[0])
    by_path = match(named("a/x.mrc"), named("b/x.mrc"), how="path")
    assert (by_path.count, "1 micrograph treated as different although uids, paths or names agree" in by_path.warnings[0]) == (2, True)
    assert match(named("a/x.mrc", uid=1), named("a/x.mrc", uid=2), how="path").count == 1
    assert match(named("a/x.mrc", uid=1), named("b/y.mrc", uid=1), named("a/x.mrc", uid=2), how="uid").numbers == [[0], [0], [1]]
    with pytest.raises(InputError, match=r'B: micrograph a/x.mrc: found no CryoSPARC uid, expected one for match="uid"'):
        match(named("a/x.mrc", uid=1), named("a/x.mrc"), how="uid")
    assert match(named("a/x.mrc"), named("a/x.mrc"), how="path").warnings == []


def test_a_candidate_that_is_matched_by_path_still_makes_a_name_ambiguous() -> None:
    with pytest.raises(InputError, match=r"micrograph x: found two candidates by name, d1/x\.mrc of A and d2/x\.mrc of A"):
        match(named("d1/x.mrc", "d2/x.mrc"), named("d1/x.mrc", "x"))
    assert match(named("d1/x.mrc", "d2/x.mrc"), named("d1/x.mrc", "d2/x.mrc", "d3/x.mrc")).numbers == [[0, 1], [0, 1, 2]]


def test_an_equal_name_goes_before_one_without_suffixes() -> None:
    assert match(named("d/x.mrc", "d/x_DW.mrc"), named("x_DW", "x")).numbers == [[0, 0], [0, 0]]
    rows, _ = same_as("B", named("x_DW", "x", "d/x.mrc", "x_aligned"), "A", named("d/x.mrc", "d/x_DW.mrc"), "auto")
    assert rows == [[1], [0], [0], [0, 1]]


def test_names_that_are_not_recognised_are_said() -> None:
    found = match(named("a_1.mrc", "a_2.mrc", "a_3.mrc"), named("a_1.mrc", "a_20.mrc", "b_1.mrc"))
    assert list(map(as_options, found.warnings)) == [
        "B and A share 1 micrograph, such as a_1.mrc; 1 only in B, such as a_20.mrc and 2 only in A, such as a_2.mrc: if these are the same"
        " micrographs, their names were not recognised"
    ]
    fewer = match(named("a_1.mrc", "a_2.mrc", "a_3.mrc"), named("a_1.mrc"))
    assert (fewer.warnings, fewer.notes) == ([], ["B and A share 1 micrograph, such as a_1.mrc; 2 only in A, such as a_2.mrc"])


@given(st.lists(st.lists(micrographs, min_size=1, max_size=4, unique=True), min_size=1, max_size=3))
def test_micrographs_of_unequal_uids_or_names_never_merge(inputs: list[list[Micrograph]]) -> None:
    try:
        found = match(*inputs)
    except InputError:
        return
    known: dict[int, tuple[set[int], set[str]]] = {}
    for numbers, one in zip(found.numbers, inputs, strict=True):
        for number, micrograph in zip(numbers, one, strict=True):
            assert 0 <= number < found.count
            uids, stems = known.setdefault(number, (set(), set()))
            uids |= {micrograph.uid} - {None}
            stems |= {Name.of(micrograph.name).stem}
    assert all(len(uids) <= 1 and (len(stems) == 1 or uids) for uids, stems in known.values())


def test_two_sessions_of_other_cameras_in_one_run(command: Command, tmp_path: Path) -> None:
    first, second = (
        records([(100, 100)], micrograph_uid=1, micrograph_path=b"s1/mic_1.mrc"),
        records([(100, 100)], micrograph_uid=0, micrograph_path=b"s2/mic_1.mrc"),
    )
    second["location/micrograph_shape"], second["uid"] = (3000, 4000), 5
    second["location/center_y_frac"] = 100 / 3000
    inputs = [cs(tmp_path / "a.cs", first), cs(tmp_path / "b.cs", second)]
    assert deduplicate_particles(inputs).kept.all()
    ran = command("particles", *inputs, "--match", "name", "--dry-run")
    assert "kept 1, rejected 1" in ran.out
    assert "warning: --match name overrides the evidence: 1 micrograph" in ran.out


def mrc(path: Path, shape: tuple[int, int], pixel_size_a: float) -> None:
    path.parent.mkdir(exist_ok=True)
    with mrcfile.new(path) as file:
        file.set_data(np.zeros(shape, np.int8))
        file.voxel_size = pixel_size_a


@pytest.mark.parametrize(
    ("shape", "pixel_size_a", "same"), [((50, 60), 2.0, True), ((100, 121), 1.01, True), ((90, 120), 1.01, False), ((50, 60), 1.0, True)]
)
def test_images_at_hand_give_the_extent(tmp_path: Path, shape: tuple[int, int], pixel_size_a: float, same: bool) -> None:
    for i in (1, 2):
        mrc(tmp_path / f"s1/mic_{i}.mrc", (100, 120), 1.01)
        mrc(tmp_path / f"s2/mic_{i}.mrc", shape, pixel_size_a)
    inputs = [star(tmp_path / f"{name}.star", [(5, 5, f"{name}/mic_{i}.mrc") for i in (1, 2)]) for name in ("s1", "s2")]
    result = deduplicate_particles(inputs, ParticleParams(pixel_size_a=1.01))
    assert result.n_micrographs == (2 if same else 4)
    assert any("with equal names in different directories treated as the same" in warning for warning in result.warnings) == same


@needs_shared
def test_real_names_match_as_before(real: Path, derived: Path) -> None:
    inputs = [real / "sppractice/Class2D/job010/run_it025_data.star", derived / "J10_em_testdata_particles.csg"]
    result = deduplicate_particles(inputs, ParticleParams(shift_key="none"))
    assert result.n_micrographs == 24
    assert result.joined.shared_micrographs.tolist() == [[10, 10], [10, 24]]
    assert np.count_nonzero(~result.kept) == 1552


def test_spellings_of_one_micrograph_in_one_input_are_one() -> None:
    assert match(named("x/a.mrc", "./x//a.mrc", "x/b.mrc"), named("x/a.mrc", ">x/a.mrc")).numbers == [[0, 0, 1], [0, 0]]


def test_the_order_of_inputs_decides_nothing() -> None:
    for order in permutations((named("s1/x.mrc"), named("x.mrc"), named("s1/x.mrc", "s2/x.mrc"))):
        with pytest.raises(InputError, match=r"found two candidates by name|found two micrographs that fit"):
            match(*order)


def test_picks_of_two_sessions_that_are_named_alike_are_said(tmp_path: Path) -> None:
    for name in ("session1/mic_1.box", "session2/mic_1.box"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("0 0 10 10\n")
    paths = [tmp_path / "session1/mic_1.box", tmp_path / "session2/mic_1.box"]
    result = deduplicate_particles(paths, ParticleParams(pixel_size_a=1))
    assert result.kept.tolist() == [True, False]
    assert f"matched by name: 1 micrograph, such as {paths[0]} and {paths[1]}" in result.notes
    assert deduplicate_particles(paths, ParticleParams(pixel_size_a=1, match="path")).kept.all()
    cbox = star(tmp_path / "p.star", [(5, 5, "MotionCorr/mic_1.mrc")])
    other = deduplicate_particles([paths[0], cbox], ParticleParams(pixel_size_a=1))
    assert (other.warnings, list(other.notes)) == (
        (),
        [f"matched by name: 1 micrograph, such as {paths[0]} and MotionCorr/mic_1.mrc of {cbox}"],
    )


@pytest.mark.parametrize(("shape", "same"), [((100, 120), True), ((400, 400), False)])
def test_equal_paths_in_two_projects(tmp_path: Path, shape: tuple[int, int], same: bool) -> None:
    inputs = []
    for project, size in (("A", (100, 120)), ("B", shape)):
        (tmp_path / project).mkdir()
        mrc(tmp_path / project / "Mics/m.mrc", size, 1.2)
        inputs.append(star(tmp_path / project / "p.star", [(5, 5, "Mics/m.mrc")]))
    result = deduplicate_particles(inputs, ParticleParams(pixel_size_a=1.2))
    assert result.n_micrographs == (1 if same else 2)
    assert any("leads to different files from" in warning for warning in result.warnings) == same


def test_an_unknown_suffix_is_said() -> None:
    found = match(named(*(f"x{i}.mrc" for i in range(9))), named("x0.mrc", *(f"x{i}_foo.mrc" for i in range(1, 9))))
    assert (
        "8 only in B, such as x1_foo.mrc and 8 only in A, such as x1.mrc: if these are the same micrographs, their names were not recognised"
        in found.warnings[0]
    )


def places(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 4000, (n, 2))


def session(directory: str, xy: np.ndarray) -> list[tuple[float, float, str]]:
    return [(x, y, f"{directory}/mic_{i % 4}.mrc") for i, (x, y) in enumerate(xy.tolist())]


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("coincide", [True, False])
def test_particles_decide_what_names_leave_open(tmp_path: Path, joined: bool, coincide: bool) -> None:
    xy = places(600, 1)
    first, second = session("s1", xy), session("s2", xy + 1 if coincide else places(600, 2))
    inputs = (
        [star(tmp_path / "a.star", first + second)] if joined else [star(tmp_path / "a.star", first), star(tmp_path / "b.star", second)]
    )
    result = deduplicate_particles(inputs, ParticleParams(pixel_size_a=1.0, min_separation_a=3))
    said = " ".join([*result.warnings, *result.notes])
    assert result.n_micrographs == (4 if coincide else 8)
    assert ("treated as the same, such as s1/mic_0.mrc" in said, "treated as different, such as s1/mic_0.mrc" in said) == (
        coincide,
        not coincide,
    )
    assert ("600 of 600 particles coincide within" in said) == coincide
    assert "are expected by chance" in said
    assert ((~result.kept).sum() >= 600) == coincide
    by_rule = deduplicate_particles(inputs, ParticleParams(pixel_size_a=1.0, min_separation_a=3, match="path" if coincide else "name"))
    assert by_rule.n_micrographs == (8 if coincide else 4)
    assert "overrides the evidence" in by_rule.warnings[0]


@needs_shared
def test_two_real_sets_joined_into_one_file(real: Path, tmp_path: Path) -> None:
    first, second = (real / name for name in ("em-testdata/run_it025_data.star", "sppractice/Class2D/job010/run_it025_data.star"))
    params = ParticleParams(min_separation_a=60, shift_key="none")
    as_two = deduplicate_particles([first, second], params)
    tables = [starfile.read(path) for path in (first, second)]
    columns = [name for name in tables[0]["particles"].columns if name in tables[1]["particles"].columns]
    renamed = tables[1]["particles"].assign(rlnMicrographName=lambda rows: rows["rlnMicrographName"].str.replace("job002", "job050"))
    starfile.write(
        {"optics": tables[0]["optics"], "particles": pandas.concat([tables[0]["particles"][columns], renamed[columns]])},
        tmp_path / "j.star",
    )
    as_one = deduplicate_particles(tmp_path / "j.star", params)
    assert ((~as_one.kept).sum(), (~as_two.kept).sum()) == (1866, 1866)
    assert "10 micrographs with equal names in different directories treated as the same" in as_one.warnings[0]


def test_a_table_of_another_job_is_refused(command: Command, tmp_path: Path) -> None:
    particles = star(tmp_path / "p.star", [(5, 5, "MotionCorr/job002/Movies/x.mrc")])
    table = tmp_path / "micrographs.star"
    for job, how, status in ((50, "auto", 2), (50, "path", 2), (50, "name", 0), (2, "auto", 0), (2, "path", 0)):
        table.write_text(f"data_micrographs\nloop_\n_rlnMicrographName\n_rlnMicrographPixelSize\nMotionCorr/job{job:03}/Movies/x.mrc 2.0\n")
        ran = command("particles", particles, "--micrographs", table, "--match", how, "--dry-run")
        assert ran.status == status, ran.err
        if (job, how) == (50, "auto"):
            assert "found the micrographs of MotionCorr/job050, expected those of MotionCorr/job002" in ran.err
    for job, how, text in (
        (50, "name", "gives the pixel size of MotionCorr/job050/Movies/x.mrc"),
        (0, "auto", "gives the pixel size of Movies/x.mrc"),
    ):
        micrograph = f"MotionCorr/job{job:03}/Movies/x.mrc" if job else "Movies/x.mrc"
        table.write_text(f"data_micrographs\nloop_\n_rlnMicrographName\n_rlnMicrographPixelSize\n{micrograph} 2.0\n")
        ran = command("particles", particles, "--micrographs", table, "--match", how, "--dry-run")
        assert ran.status == 0, ran.err
        assert f"{text}, which may be binned differently: used are 2 Å" in " ".join(ran.out.split())
    table.write_text("data_micrographs\nloop_\n_rlnMicrographName\n_rlnMicrographPixelSize\nMotionCorr/job002/Movies/x.mrc 2.0\n")
    ran = command("particles", star(tmp_path / "q.star", [(5, 5, "Mics/x.mrc")]), "--micrographs", table, "--dry-run")
    assert "treated as the same, such as MotionCorr/job002/Movies/x.mrc of" in ran.out + ran.err


def test_a_folder_of_picks_has_the_micrographs_of_its_job(command: Command, tmp_path: Path) -> None:
    """RELION's index says whose picks they are, also where only the folder is given."""
    folder = tmp_path / "AutoPick" / "job008" / "Movies"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        star(folder / f"{name}_autopick.star", [(5, 5, 3.0), (7, 5, 2.0)], "CoordinateX CoordinateY AutopickFigureOfMerit", "", "")
    rows = "".join(f"MotionCorr/job002/Movies/{name}.mrc AutoPick/job008/Movies/{name}_autopick.star\n" for name in ("a", "b"))
    (folder.parent / "autopick.star").write_text(f"data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n{rows}")
    table = tmp_path / "micrographs.star"
    for job, status in ((2, 0), (50, 2)):
        names = "".join(f"MotionCorr/job{job:03}/Movies/{name}.mrc 2.0\n" for name in ("a", "b"))
        table.write_text(f"data_micrographs\nloop_\n_rlnMicrographName\n_rlnMicrographPixelSize\n{names}")
        for path in (folder, folder.parent / "autopick.star"):
            ran = command("particles", path, "--micrographs", table, "--dry-run")
            assert ran.status == status, ran.err
            assert status == 0 or "found the micrographs of MotionCorr/job050, expected those of MotionCorr/job002" in ran.err

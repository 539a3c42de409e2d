"""Duplicates across half-sets: what they fake is what a simulation of noise shows, and a repair leaves none of it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import Ran, cs, records, star
from cryodedup import InputError, ParticleParams, ParticleResult, deduplicate_particles
from cryodedup.particles.half_sets import HalfSets, audit, audit_equal

COLUMNS = "CoordinateX CoordinateY MicrographName AutopickFigureOfMerit RandomSubset"
ONE_A = ParticleParams(pixel_size_a=1.0)


def noise_fsc(halves: np.ndarray, noise_of: np.ndarray, seed: int = 1) -> float:
    """The FSC of two half-maps of noise; particles of equal ``noise_of`` have the same noise."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((int(noise_of.max()) + 1, 400)) + 1j * rng.standard_normal((int(noise_of.max()) + 1, 400))
    one, two = (noise[noise_of[halves == half]].sum(axis=0) for half in (1, 2))
    return float((one * two.conj()).sum().real / np.sqrt((abs(one) ** 2).sum() * (abs(two) ** 2).sum()))


def session(n: int = 3000, twice: int = 600, seed: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, half-sets and what each particle is, of particles some of which were picked twice, once for each half."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(60), np.arange(50)), axis=-1).reshape(-1, 2)[:n] * 100.0
    again = rng.choice(n, twice, replace=False)
    what = np.concatenate([np.arange(n), again])
    halves = rng.integers(1, 3, n)
    halves = np.concatenate([halves, 3 - halves[again]])
    return grid[what] + rng.uniform(-4, 4, (len(what), 2)), halves, what


def half_sets(result: ParticleResult, *, written: bool = False) -> HalfSets:
    assert result.half_sets is not None
    return result.half_sets.written if written else result.half_sets.found


def test_noise_reaches_the_level_that_is_told_and_none_after_deduplication(tmp_path: Path) -> None:
    xy, halves, what = session()
    rows = [(x, y, "m.mrc", k % 97, half) for k, ((x, y), half) in enumerate(zip(xy, halves, strict=True))]
    path = star(tmp_path / "p.star", rows, COLUMNS)
    result = deduplicate_particles(path, ONE_A)
    found = half_sets(result)
    assert (found.pairs_across, found.concerned, sum(found.sizes)) == (600, 1200, 3600)
    assert found.f == pytest.approx(1200 / 2400)
    assert found.f_over_1_plus_f == pytest.approx(found.f / (1 + found.f)) == pytest.approx(1 / 3)
    assert found.noise_fsc == pytest.approx(1 / 3, rel=1e-3)  # the halves are not quite equal
    assert noise_fsc(halves, what) == pytest.approx(found.noise_fsc, abs=0.03)
    assert abs(noise_fsc(halves[result.kept], what[result.kept])) < 0.03
    for params in (ONE_A, ParticleParams(pixel_size_a=1.0, remove_entirely=True)):
        chosen = deduplicate_particles(path, params)
        kept = chosen.kept
        measured = audit(halves[kept].astype(np.uint8), chosen.coordinates_a[kept], chosen.micrograph_of[kept], 20, 1)
        assert half_sets(chosen, written=True) == measured == HalfSets(measured.sizes, 0, 0, 0.0)
    assert any("noise alone raises the FSC to 0.333" in warning for warning in result.warnings)
    repaired = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0, half_sets="repair"))
    assert repaired.repaired_halves is not None
    assert abs(noise_fsc(repaired.repaired_halves, what)) < 0.03
    after = half_sets(repaired, written=True)
    assert (after.pairs_across, after.noise_fsc, sum(after.sizes)) == (0, 0.0, 3600)


@pytest.mark.parametrize(
    ("sets", "singles"),
    [
        ({(1, 1): 150}, (300, 300)),
        ({(2, 2): 200}, (900, 900)),
        ({(3, 1): 60, (2, 0): 100, (0, 2): 100, (1, 1): 50}, (200, 300)),
        ({(10, 10): 10}, (300, 300)),
        ({(1, 1): 100}, (2000, 0)),
    ],
)
def test_noise_of_any_sets_of_duplicates(sets: dict[tuple[int, int], int], singles: tuple[int, int], tmp_path: Path) -> None:
    """Of several copies, of copies in one half, and of halves of different size."""
    halves: list[int] = []
    what: list[int] = []
    for (one, two), count in [*sets.items(), ((1, 0), singles[0]), ((0, 1), singles[1])]:
        for _ in range(count):
            name = what[-1] + 1 if what else 0
            halves += [1] * one + [2] * two
            what += [name] * (one + two)
    rows = [(100.0 * (name % 60), 100.0 * (name // 60 + 1), "m", 0, half) for name, half in zip(what, halves, strict=True)]
    found = half_sets(deduplicate_particles(star(tmp_path / "p.star", rows, COLUMNS), ONE_A))
    simulated = np.mean([noise_fsc(np.array(halves), np.array(what), seed) for seed in range(24)])
    assert found.noise_fsc == pytest.approx(simulated, abs=0.025)
    equal = half_sets(deduplicate_particles(tmp_path / "p.star", ParticleParams(pixel_size_a=1.0, min_separation_a=0.0)))
    assert equal == found


def test_pairs_that_are_no_set_are_counted(tmp_path: Path) -> None:
    """In a chain the two in the middle are duplicates, though each is rejected for another one."""
    rows = [(10.0 * k, 0, "m", [9, 1, 8, 2][k], 1 + k // 2) for k in range(4)]
    found = half_sets(
        deduplicate_particles(star(tmp_path / "p.star", rows, COLUMNS), ParticleParams(pixel_size_a=1.0, min_separation_a=12))
    )
    assert (found.pairs_across, found.concerned) == (1, 2)


@pytest.mark.parametrize("remove_entirely", [False, True])
def test_equal_places_and_equal_uids_hang_together(remove_entirely: bool, tmp_path: Path) -> None:
    """The first two share a place, the first and third a uid, so do the second and fourth."""
    uids, xs, halves = [1, 2, 1, 2], [0.0, 0.0, 0.5, 0.25], [0, 1, 1, 0]
    table = records([(4000 * x, 900) for x in xs], extra=[("alignments3D/split", "<u4")], split=halves)
    table["uid"] = uids
    params = ParticleParams(pixel_size_a=1.0, min_separation_a=0.0, remove_entirely=remove_entirely, shift_key="none")
    found = half_sets(deduplicate_particles(table, params))
    assert (found.sizes, found.pairs_across, found.concerned) == ((2, 2), 4, 4)


def test_particles_of_neither_half_are_told_of(tmp_path: Path, command: Callable[..., Ran]) -> None:
    path = star(tmp_path / "p.star", [(100 * k, 0, "m", 1, k % 3) for k in range(30)], COLUMNS)
    ran = command("particles", path, "--pixel-size", 1, "--dry-run")
    assert "half-sets of 10 and 10 particles (10 are in neither): 0 pairs of duplicates" in ran.out


def test_halves_of_which_one_is_empty_are_none(tmp_path: Path) -> None:
    rows = [(k, 0, "m", 1, 1) for k in range(9)]
    assert deduplicate_particles(star(tmp_path / "p.star", rows, COLUMNS), ONE_A).half_sets is None


def test_half_sets_in_files_of_their_own(tmp_path: Path) -> None:
    """CryoSPARC's first half-set is 0, which a field that was never set is, too: the file of the other half-set tells them apart."""
    split = [("alignments3D/split", "<u4"), ("alignments3D/shift", "<f4", (2,)), ("alignments3D/psize_A", "<f4")]
    one = records([(100 * i, 50) for i in range(30)], split, split=0)
    two = records([(100 * i + (5 if i < 12 else 50), 50) for i in range(30)], split, split=1)
    two["uid"] += 1000
    paths = [cs(tmp_path / "half0.cs", one), cs(tmp_path / "half1.cs", two)]
    result = deduplicate_particles(paths)
    assert (half_sets(result).pairs_across, half_sets(result).sizes) == (12, (30, 30))
    assert not any("one half-set" in warning for warning in result.warnings)
    assert deduplicate_particles(paths[0]).half_sets is None
    assert not any("half-set" in warning for warning in deduplicate_particles(paths[0]).warnings)
    two["alignments3D/split"] = np.arange(30) % 2  # of a whole refinement: the zeros of the other file say nothing
    assert half_sets(deduplicate_particles([paths[0], cs(paths[1], two)])).sizes == (15, 15)


@pytest.mark.parametrize(
    "row", ["{x} 7 'it's one' {half}", '{x} 7 "a"2 c" {half}', '{x}\t7   m  "{half}" ', "{x} 7 'open 0{half}", "{x} 7 m {half}.000"]
)
def test_cells_as_odd_as_may_be_are_found(row: str, tmp_path: Path) -> None:
    path = tmp_path / "p.star"
    head = "data_particles\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnMicrographName #3\n_rlnRandomSubset #4\n"
    lines = [row.format(x=100 * (k // 2), half=1 + (k % 2 if k < 8 else k // 2 % 2)) for k in range(20)]
    path.write_text(head + "\r\n".join(lines))
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0, half_sets="repair"))
    result.write(tmp_path / "out", report=False)
    written = (tmp_path / "out" / "particles_repaired.star").read_text().removeprefix(head).splitlines()
    expected = [row.format(x=100 * (k // 2), half=1 if k < 8 else 1 + k // 2 % 2) for k in range(20)]
    assert [line.rstrip() for line in written] == [line.rstrip() for line in expected]


def test_what_is_kept_may_be_of_one_half_and_all_may_be(tmp_path: Path) -> None:
    rows = [(100 * k + x, 50, "m", 10 - x, 1 + x) for k in range(200) for x in (0, 1)]
    result = deduplicate_particles(star(tmp_path / "p.star", rows, COLUMNS), ParticleParams(pixel_size_a=1.0))
    assert "the half-sets of the kept particles have 200 and 0 particles, " in result.warnings[-1]
    alone = star(tmp_path / "q.star", [(*row[:4], 1) for row in rows], COLUMNS)
    result = deduplicate_particles(alone, ParticleParams(pixel_size_a=1.0))
    assert result.warnings == ("all particles are in one half-set: duplicates across half-sets cannot be counted",)


def test_a_stem_with_the_letters_of_patterns(tmp_path: Path) -> None:
    for name in ("x[1].star", "y*.star"):
        star(tmp_path / name, [(0, 0, name[0], 1, 1), (1, 0, name[0], 1, 2)], COLUMNS + (" ClassNumber" if name[0] == "y" else ""))
    columns = COLUMNS + " ClassNumber"
    star(tmp_path / "y*.star", [(0, 0, "y", 1, 1, 3), (1, 0, "y", 1, 2, 3)], columns)
    result = deduplicate_particles([tmp_path / "x[1].star", tmp_path / "y*.star"], ParticleParams(pixel_size_a=1.0, half_sets="repair"))
    result.write(tmp_path / "out", report=False)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "duplicates.csv", "summary.json", "x[1]_repaired.star", "y*_repaired.star",
    ]  # fmt: skip


def test_repair_changes_one_column_only(tmp_path: Path, command: Callable[..., Ran]) -> None:
    xy, halves, _ = session(400, 80)
    rows = [(f"{x:.3f}", f"{y:.3f}", "m.mrc", k % 97, half) for k, ((x, y), half) in enumerate(zip(xy, halves, strict=True))]
    path = star(tmp_path / "p.star", rows, COLUMNS)
    ran = command("particles", path, "--pixel-size", 1, "--half-sets", "repair", "-o", tmp_path / "out")
    assert ran.status == 0
    assert re.search(r"within 20 Å: all kept, \d+ duplicates, \d+ particles moved to the other half-set", ran.out)
    assert re.search(r"repaired half-sets: \d+ and \d+ particles, 0 pairs across them, FSC from shared noise 0.000", ran.out)
    assert "all 480 kept → particles_repaired.star" in ran.out
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == [
        "duplicates.csv", "figures", "particles_repaired.star", "report.html", "summary.json",
    ]  # fmt: skip
    before, after = (text.splitlines() for text in (path.read_text(), (tmp_path / "out" / "particles_repaired.star").read_text()))
    assert len(before) == len(after)
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert 0 < len(changed) == summary["half_sets"]["moved"] <= 80
    for old, new in changed:
        *same, half = old.split()
        assert new.split() == [*same, str(3 - int(half))]
        assert old[:-2] == new[:-2]
    # Of two duplicates the better one stays where it was.
    first = next(k for k, line in enumerate(before) if "m.mrc" in line)
    with (tmp_path / "out" / "duplicates.csv").open() as file:
        for row in csv.DictReader(file):
            assert before[first + int(row["kept_row"])] == after[first + int(row["kept_row"])]
    again = half_sets(deduplicate_particles(tmp_path / "out" / "particles_repaired.star", ONE_A))
    assert again.pairs_across == 0


def test_repair_of_cryosparc_and_of_joined_inputs(tmp_path: Path) -> None:
    xy, halves, _ = session(200, 50)
    split = [("alignments3D/split", "<u4"), ("alignments3D/shift", "<f4", (2,)), ("alignments3D/psize_A", "<f4")]
    array = records(xy % 1900, split, split=halves - 1)
    parts = [cs(tmp_path / f"{k}.cs", np.concatenate([array[k::2]])) for k in range(2)]
    params = ParticleParams(half_sets="repair", shift_key="none")
    result = deduplicate_particles(parts, params)
    result.write(tmp_path / "out")
    written = np.load(tmp_path / "out" / "particles_repaired.cs")
    given_ = np.concatenate([np.load(part) for part in parts])
    for field in given_.dtype.names:
        if field != "alignments3D/split":
            assert np.array_equal(written[field], given_[field])
    assert result.repaired_halves is not None
    assert np.array_equal(written["alignments3D/split"] + 1, result.repaired_halves)
    assert not np.array_equal(written["alignments3D/split"], given_["alignments3D/split"])
    assert not list((tmp_path / "out").glob("*unused*"))
    again = half_sets(deduplicate_particles(tmp_path / "out" / "particles_repaired.cs", ParticleParams(shift_key="none")))
    assert again.pairs_across == 0


def test_repair_of_a_main_file_and_its_passthrough_in_another_order(tmp_path: Path) -> None:
    xy, halves, _ = session(60, 20)
    array = records(xy % 1900, [("alignments3D/split", "<u4")], split=halves - 1)
    main = array[["uid", "alignments3D/split"]].copy()
    place = array[[name for name in array.dtype.names if name != "alignments3D/split"]][::-1].copy()
    paths = [cs(tmp_path / "main.cs", np.array(main.tolist(), main.dtype)), cs(tmp_path / "pass.cs", np.array(place.tolist(), place.dtype))]
    result = deduplicate_particles(paths, ParticleParams(half_sets="repair"))
    result.write(tmp_path / "out", report=False)
    written = np.load(tmp_path / "out" / "particles_repaired.cs")
    halves_by_uid = dict(zip(written["uid"].tolist(), (written["alignments3D/split"] + 1).tolist(), strict=True))
    assert result.repaired_halves is not None
    (source,) = result.sources
    assert source.picks.uids is not None
    assert [halves_by_uid[uid] for uid in source.picks.uids.tolist()] == result.repaired_halves.tolist()


def test_a_chain_goes_into_one_half(tmp_path: Path) -> None:
    """The ends of a chain are not within the separation of each other, but of what lies between them."""
    rows = [(15.0 * k, 0, "m.mrc", [5, 9, 1, 2][k], 1 + k % 2) for k in range(4)]
    result = deduplicate_particles(star(tmp_path / "p.star", rows, COLUMNS), ParticleParams(pixel_size_a=1.0, half_sets="repair"))
    assert result.repaired_halves is not None
    assert result.repaired_halves.tolist() == [2, 2, 2, 2]  # that of the best


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        (COLUMNS, [(0, 0, "m", 1, 1), (1, 0, "m", 1, 0)], "p.star, line 10: found no half-set in rlnRandomSubset, expected one"),
        ("CoordinateX CoordinateY MicrographName", [(0, 0, "m")], "p.star: found no rlnRandomSubset or alignments"),
        (COLUMNS, [(0, 0, "m", 1, 1), (1, 0, "m", 1, 1)], "p.star: found all particles in one half-set, expected two"),
    ],
)
def test_repair_needs_half_sets(columns: str, rows: list[tuple[object, ...]], message: str, tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", rows, columns)
    with pytest.raises(InputError) as raised:
        deduplicate_particles(path, ParticleParams(pixel_size_a=1.0, half_sets="repair"))
    assert message.split(", line", maxsplit=1)[0] in str(raised.value)
    assert message.split("found")[1] in str(raised.value)


def test_without_half_sets_nothing_is_told(tmp_path: Path) -> None:
    result = deduplicate_particles(star(tmp_path / "p.star", [(0, 0, "m"), (1, 0, "m")]), ONE_A)
    assert result.half_sets is None
    assert result.summary()["half_sets"] is None


@settings(max_examples=150)
@given(st.data())
def test_the_audit_is_that_of_a_plain_loop(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    halves = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.uint8)
    points = np.array(data.draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=n, max_size=n)), float)
    groups = np.array(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), np.uint32)

    def check(found: HalfSets, near: Callable[[int, int], bool]) -> None:
        pairs = [(i, j) for i in range(n) for j in range(i) if near(i, j)]
        count = {(a, b): sum(sorted((halves[i], halves[j])) == [a, b] for i, j in pairs) for a, b in ((1, 1), (1, 2), (2, 2))}
        concerned = [i for i in range(n) if any(near(i, j) and {halves[i], halves[j]} == {1, 2} for j in range(n) if j != i)]
        sizes = tuple(int((halves == half).sum()) for half in (1, 2))
        assert (found.pairs_across, found.concerned, found.sizes) == (count[1, 2], len(concerned), sizes)
        noise = [size + 2 * count[half, half] for size, half in zip(sizes, (1, 2), strict=True)]
        assert found.noise_fsc == pytest.approx(min(1.0, count[1, 2] / np.sqrt(noise[0] * noise[1])) if count[1, 2] else 0.0)

    check(audit(halves, points, groups, 2.5, 1), lambda i, j: bool(groups[i] == groups[j] and np.hypot(*(points[i] - points[j])) <= 2.5))
    sets = np.array([next(j for j in range(n) if (points[i] == points[j]).all()) for i in range(n)])
    check(audit_equal(halves, sets), lambda i, j: bool((points[i] == points[j]).all()))

"""Which micrographs stay: the greedy rule against a plain double loop, listings, limits, and results that are withheld."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import Ran, has_marks
from cryodedup import InputError, MicrographParams, find_duplicate_micrographs
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.decide import decide, ranking, withhold
from cryodedup.names import as_options

Command = Callable[..., Ran]


def pair(first: int, second: int, overlap: float = 0.8, z: float = 20.0) -> Pair:
    return Pair(first, second, z, 1e-9, 0.4, overlap * 0.4, overlap, (10.0 * (second - first), -4.0), rotation_deg=0.5, scale=1.25)


def greedy(n: int, pairs: Sequence[Pair], rank: Sequence[int], least: float) -> list[bool]:
    """By the plainest means."""
    kept: list[int] = []
    for i in sorted(range(n), key=lambda i: rank[i]):
        if not any({one.first, one.second} == {i, j} and one.overlap >= least for one in pairs for j in kept):
            kept.append(i)
    return [i in kept for i in range(n)]


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[Pair], list[int], float]:
    n = draw(st.integers(1, 12))
    edges = draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda ends: ends[0] < ends[1])))
    overlaps = st.sampled_from([0.1, 0.3, 0.5, 0.7, 1.0])
    pairs = [pair(*(ends if draw(st.booleans()) else ends[::-1]), draw(overlaps)) for ends in sorted(edges)]
    return pairs, draw(st.permutations(range(n))), draw(st.sampled_from([0.0, 0.5, 1.0]))


@settings(deadline=None)
@given(sessions())
def test_the_decision_is_greedy_and_its_listings_fit_it(session: tuple[list[Pair], list[int], float]) -> None:
    pairs, rank, least = session
    made = decide(pairs, rank, least)
    kept = made.kept
    assert kept.tolist() == greedy(len(rank), pairs, rank, least)
    duplicates, overlaps = ([one for one in made.pairs if bool(one.set) == listed] for listed in (True, False))
    assert not any(kept[one.first] and kept[one.second] for one in duplicates)
    assert {one.second for one in duplicates} == set(np.flatnonzero(~kept).tolist())
    assert all(one.overlap < least for one in overlaps)
    # The first row of each removed micrograph gives the kept one of its set, which comes before it and overlaps it by enough.
    firsts = {one.second: one for one in reversed(duplicates)}
    assert all(kept[one.first] and rank[one.first] < rank[one.second] and one.overlap >= least for one in firsts.values())
    assert all(made.sets[one.set - 1][0] == one.first and one.second in made.sets[one.set - 1] for one in firsts.values())
    assert sorted(i for members in made.sets for i in members[1:]) == sorted(firsts)
    # Nothing is lost, and where the two of a pair change places, shift, rotation and magnification are those the other way round.
    given_shifts = {(one.first, one.second): one.shift_px for one in pairs}
    assert len(made.pairs) == len(pairs)
    for one in made.pairs:
        if (one.first, one.second) in given_shifts:
            assert (one.shift_px, one.rotation_deg, one.scale) == (given_shifts[one.first, one.second], 0.5, 1.25)
        else:
            x, y = given_shifts[one.second, one.first]
            assert (one.shift_px, one.rotation_deg, one.scale) == ((-x, -y), -0.5, 0.8)


def test_a_chain_keeps_its_ends_and_the_removed_one_names_both() -> None:
    made = decide([pair(0, 1), pair(1, 2)], [0, 1, 2], 0.5)
    assert made.kept.tolist() == [True, False, True]
    assert [(one.first, one.second, one.set, one.shift_px) for one in made.pairs] == [(0, 1, 1, (10.0, -4.0)), (2, 1, 1, (-10.0, 4.0))]
    assert made.sets == [[0, 1]]


def test_of_several_kept_ones_the_original_shares_most() -> None:
    made = decide([pair(0, 2, 0.6), pair(1, 2, 0.9), pair(1, 3, 0.9), pair(2, 3, 0.95)], [0, 1, 2, 3], 0.5)
    assert made.sets == [[1, 2, 3]]
    assert [(one.first, one.second) for one in made.pairs] == [(1, 2), (0, 2), (1, 3), (2, 3)]


def test_best_ctf_comes_first_and_one_that_is_not_known_last() -> None:
    assert ranking([2, 0, 1, 3], None).tolist() == [1, 2, 0, 3]
    assert ranking([2, 0, 1, 3], np.array([np.nan, 4.0, 3.0, 4.0])).tolist() == [3, 1, 0, 2]


@pytest.mark.parametrize(
    ("removed", "limits", "options"),
    [
        (7, {}, ""),
        (8, {}, "--max-removed 1"),
        (8, {"max_removed": 0.4}, ""),
        (8, {"max_removed": 1, "max_set": 8}, "--max-set 9"),
        (8, {"max_set": 8}, "--max-removed 1 --max-set 9"),
        (0, {"max_removed": 0, "max_set": 1}, ""),
    ],
)
def test_limits(removed: int, limits: dict[str, float], options: str) -> None:
    limits = {"max_set": 9, **limits}
    made = decide([pair(0, i + 1) for i in range(removed)], list(range(20)), 0.5)
    found = withhold(made, 20, MicrographParams(**limits))  # type: ignore[arg-type]
    assert (as_options(found.options) if found else "") == options


@pytest.mark.parametrize(
    ("name", "value"),
    [("min_overlap", 1.1), ("min_overlap", "half"), ("max_removed", None), ("max_removed", -0.1), ("max_set", 0), ("max_set", 2.5)],
)
def test_limits_out_of_reach_are_refused(name: str, value: object) -> None:
    with pytest.raises(InputError, match=f"{name}: found"):
        MicrographParams(**{name: value})  # type: ignore[arg-type]


def test_the_least_overlap_follows_the_rule() -> None:
    assert [MicrographParams(**rule).least_overlap for rule in ({}, {"threshold": 0.2}, {"threshold": 0.2, "min_overlap": 0.3})] == [
        0.5,
        0.0,
        0.3,
    ]
    assert MicrographParams().used()["min_overlap"] == 0.5


def shoot(folder: Path, corners: Sequence[tuple[int, int]], scenes: Sequence[int] | None = None) -> list[Path]:
    """Frames of 256 x 300 pixels of large scenes, seen at these corners (y, x), with noise."""
    folder.mkdir()
    paths = []
    for k, (y, x) in enumerate(corners):
        world = np.random.default_rng([7, scenes[k] if scenes else 0]).normal(0, 30, (900, 1000))
        noise = np.random.default_rng([8, k]).normal(1000, 30, (256, 300))
        paths.append(folder / f"m{k:02}.mrc")
        mrcfile.write(paths[-1], (noise + world[y : y + 256, x : x + 300]).astype(np.float32))
    return paths


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_montage_loses_nothing_and_says_what_is_counted_twice(tmp_path: Path, command: Command) -> None:
    shoot(tmp_path / "m", [(205 * row, 240 * column) for row in range(3) for column in range(3)])
    out = tmp_path / "out"
    ran = command("micrographs", tmp_path / "m", "--bin", 2, "-o", out)
    assert ran.status == 0
    assert len((out / "micrographs_kept.txt").read_text().splitlines()) == 9
    assert (out / "micrographs_removed.txt").read_text() == ""
    assert (rows(out / "duplicates.csv"), rows(out / "versions.csv")) == ([], [])
    overlaps = rows(out / "overlaps.csv")
    assert len(overlaps) >= 12
    assert list(overlaps[0])[:3] == ["First", "Second", "both_kept"]
    assert {row["both_kept"] for row in overlaps} == {"yes"}
    assert "both micrographs are kept and share" in ran.out
    assert "cryodedup particles cannot detect this" in (out / "report.html").read_text()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["overlaps"]["between_kept"] == summary["overlaps"]["pairs"] == len(overlaps)
    assert (summary["withheld"], summary["parameters"]["min_overlap"]) == (None, 0.5)
    # The screener's way: any overlap counts.
    assert find_duplicate_micrographs(tmp_path / "m", MicrographParams(bin=2, threshold=0.03)).groups


def test_a_withheld_result_and_a_second_decision_that_reads_nothing(tmp_path: Path, command: Command) -> None:
    paths = shoot(tmp_path / "m", [(5 * k, 3 * k) for k in range(6)], [0, 1, 2, 3, 0, 1])
    out = tmp_path / "out"
    arguments = ("micrographs", tmp_path / "m", "--bin", 2, "-o", out)
    assert command(*arguments).status == 0
    assert (out / "micrographs_removed.txt").read_text().split() == [str(path) for path in paths[4:]]
    (out / "micrographs_kept.star").write_text("of an earlier run")
    ran = command(*arguments, "--overwrite", "--resume", "--max-removed", "0.2")
    assert ran.status == 3
    assert ran.err.startswith("cryodedup: withheld: 2 of 6 exposures (33 %) would be removed, more than --max-removed 0.2;")
    assert len(ran.err.splitlines()) == 1
    assert not [path.name for path in out.iterdir() if path.name.startswith("micrographs_")]
    assert {"duplicates.csv", "overlaps.csv", "versions.csv", "report.html", "summary.json", "prepared.cache"} <= {
        path.name for path in out.iterdir()
    }
    assert [row["Duplicate"] for row in rows(out / "duplicates.csv")] == [str(path) for path in paths[4:]]
    summary = json.loads((out / "summary.json").read_text())
    assert f"cryodedup: withheld: {summary['withheld']}" == ran.err.strip()
    assert "Withheld: 2 of 6 exposures" in (out / "report.html").read_text()
    # As typed before, with what the line says added: no pixel is there any more, and --overwrite is not needed.
    for path in paths:
        stat, raw = path.stat(), path.read_bytes()
        path.write_bytes(raw[:1024] + bytes(len(raw) - 1024))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert command(*arguments, "--max-removed", "0.2").status == 2
    assert "add --resume --max-removed 1 to the command" in ran.err
    assert command(*arguments, "--max-removed", "0.2", "--resume", "--max-removed", "1").status == 0
    assert (out / "micrographs_removed.txt").read_text().split() == [str(path) for path in paths[4:]]
    # A result that is not withheld is not replaced without being asked.
    assert command(*arguments, "--resume").status == 2


def test_a_withheld_result_names_parameters_in_python(tmp_path: Path) -> None:
    shoot(tmp_path / "m", [(5 * k, 3 * k) for k in range(6)], [0, 1, 2, 3, 0, 1])
    found = find_duplicate_micrographs(tmp_path / "m", bin=2, max_removed=0.2)
    found.write(tmp_path / "out")
    written = [(tmp_path / "out" / name).read_text("utf-8") for name in ("summary.json", "report.html")]
    texts = [str(found.withheld), repr(found), found._repr_html_(), json.dumps(found.summary()), *written]
    assert all("more than max_removed=0.2" in text and "add resume=True max_removed=1 to" in text for text in texts)
    assert not any(has_marks(text) or "--max-removed" in text for text in texts)


def test_quiet_and_json_say_that_a_result_is_withheld(tmp_path: Path, command: Command) -> None:
    shoot(tmp_path / "m", [(10 * k, 0) for k in range(3)])
    ran = command("micrographs", tmp_path / "m", "--bin", 2, "-o", tmp_path / "quiet", "-q", "--no-report")
    assert (ran.status, ran.out, ran.err.startswith("cryodedup: withheld: 2 of 3")) == (3, "", True)
    ran = command("micrographs", tmp_path / "m", "--bin", 2, "-o", tmp_path / "json", "--json", "--max-removed", 1, "--max-set", 2)
    assert (ran.status, "--max-set 3" in json.loads(ran.out)["withheld"]) == (3, True)


def test_other_peoples_files_stop_a_withheld_result(tmp_path: Path) -> None:
    shoot(tmp_path / "m", [(10 * k, 0) for k in range(3)])
    result = find_duplicate_micrographs(tmp_path / "m", MicrographParams(bin=2))
    assert result.withheld
    out = tmp_path / "out"
    out.mkdir()
    (out / "micrographs_kept.txt").write_text("of whom?")
    with pytest.raises(InputError, match=r"micrographs_kept.txt: output exists"):
        result.write(out)
    assert [path.name for path in out.iterdir()] == ["micrographs_kept.txt"]

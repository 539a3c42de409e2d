"""Sessions with what real frames have, of the benchmarks' simulator: small ones, each kind that once made false pairs or lost true ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from simulate.kinds import KINDS, Kind
from simulate.session import Truth, make

from cryodedup import MicrographParams, MicrographResult, find_duplicate_micrographs

SMALL = {"frames": 32, "repeats": 4, "overlap": (0.5, 0.9)}


def search(
    directory: Path, kind: Kind, *, seed: int = 7, shots: int = 1, params: MicrographParams | None = None
) -> tuple[Truth, MicrographResult]:
    truth = make(directory, kind, seed, shots=shots)
    return truth, find_duplicate_micrographs(directory, params or MicrographParams(bin=1))


def names_of(result: MicrographResult) -> set[tuple[str, str]]:
    stems = [Path(name).stem for name in result.names]
    return {(min(a, b), max(a, b)) for a, b in ((stems[pair.first], stems[pair.second]) for pair in result.pairs)}


KINDS_THAT_FAILED = [
    "beam edge",
    "moving beam edge",
    "foil round the hole",
    "foil at one side",
    "crowded",
    "crystals",
    "filaments",
    "flakes",
    "hot pixels",
    "dead columns",
    "ice gradient",
    "failed dose",
    "frames around zero",
]


@pytest.mark.parametrize("kind", KINDS_THAT_FAILED)
def test_all_duplicates_are_found_and_no_others(kind: str, tmp_path: Path) -> None:
    truth, result = search(tmp_path, replace(KINDS[kind], **SMALL, failed=min(KINDS[kind].failed, 4)))
    assert len(truth.pairs) == 4
    assert names_of(result) == {(min(pair), max(pair)) for pair in truth.pairs}
    for pair in result.pairs:
        stems = [Path(result.names[k]).stem for k in (pair.first, pair.second)]
        share, move = truth.pairs[stems[0], stems[1]]
        assert max(abs(pair.shift_px[k] - move[k]) for k in (0, 1)) < 1
        assert pair.overlap == pytest.approx(share, abs=0.02)


def test_crystals_at_one_angle_make_no_false_pair_and_a_warning(tmp_path: Path) -> None:
    truth, result = search(tmp_path, replace(KINDS["crystals at one angle"], **SMALL))
    assert names_of(result) <= {(min(pair), max(pair)) for pair in truth.pairs}
    assert any("match at several shifts" in warning for warning in result.warnings)


def test_every_frame_of_a_montage_stays_and_what_they_share_is_listed(tmp_path: Path) -> None:
    truth, result = search(tmp_path, KINDS["montage 20 %"])
    assert result.kept.all()
    found = names_of(result)
    assert 40 < len(found)
    assert found <= {(min(pair), max(pair)) for pair in truth.pairs}


@pytest.mark.parametrize(("kind", "angle"), [("rotation 0.5", 0.5), ("rotation 2", 3.0), ("magnification 1 %", 0.5)])
def test_turn_and_magnification_are_found_and_reported(kind: str, angle: float, tmp_path: Path) -> None:
    there = KINDS[kind]
    truth, result = search(tmp_path, replace(there, **SMALL, carbon=0.0), params=MicrographParams(bin=1, search_angle_deg=angle))
    assert names_of(result) == {(min(pair), max(pair)) for pair in truth.pairs}
    for pair in result.pairs:
        assert abs(pair.rotation_deg) == pytest.approx(there.turn, abs=0.15)
        assert abs(pair.scale - 1) == pytest.approx(there.magnification, abs=0.003)
        stems = [Path(result.names[k]).stem for k in (pair.first, pair.second)]
        move = truth.pairs[stems[0], stems[1]][1]
        assert max(abs(pair.shift_px[k] - move[k]) for k in (0, 1)) < 2


@pytest.mark.parametrize(("kind", "versions"), [("exact copies", 7), ("dose-weighted", 32), ("even and odd", 64)])
def test_versions_of_one_exposure_are_named_and_go(kind: str, versions: int, tmp_path: Path) -> None:
    truth, result = search(tmp_path, replace(KINDS[kind], **SMALL))
    assert len(result.versions) == versions
    assert int(result.kept.sum()) == 32 - 4
    assert len(result.pairs) == 4
    assert len(truth.pairs) == 4


@pytest.mark.parametrize("frames", [2, 3, 5, 10])
def test_sessions_of_few_frames(frames: int, tmp_path: Path) -> None:
    truth, result = search(tmp_path, replace(KINDS["plain"], frames=frames, repeats=1, overlap=(0.5, 0.9)))
    assert names_of(result) == {(min(pair), max(pair)) for pair in truth.pairs}
    assert len(truth.pairs) == 1


def test_four_shots_of_a_hole_that_nothing_repeats(tmp_path: Path) -> None:
    truth = make(tmp_path, replace(KINDS["beam edge"], frames=48), 9, shots=4, duplicates=False)
    assert not truth.pairs
    assert find_duplicate_micrographs(tmp_path, MicrographParams(bin=1)).pairs == ()


# --- Sessions of which something that a null distribution takes for granted is not true


@pytest.mark.parametrize(
    ("kind", "frames"),
    [
        ("three exposures of each area", 30),
        ("four exposures that drift by 0.5 px", 40),
        ("ten exposures of one spot", 40),
        ("ten exposures of one spot without a move", 40),
        ("three triples without a move", 40),
        ("nothing but four spots", 48),
        ("half of one spot", 40),
        ("ten exposures around one spot", 40),
        ("half flipped", 48),
        ("viruses", 40),
        ("lattice of holes", 40),
    ],
)
def test_unusual_sessions_are_searched_like_others(kind: str, frames: int, tmp_path: Path) -> None:
    params = MicrographParams(bin=1, max_removed=1, max_set=20)
    there = KINDS[kind]
    truth, result = search(tmp_path, replace(there, frames=frames, repeats=min(there.repeats, 6), overlap=(0.5, 0.9)), params=params)
    assert truth.pairs
    assert names_of(result) == {(min(pair), max(pair)) for pair in truth.pairs}


@pytest.mark.parametrize("kind", ["two frames of another gain", "three frames of another gain", "five coarse gains of two frames"])
def test_frames_of_another_gain_are_no_pairs_but_named(kind: str, tmp_path: Path) -> None:
    truth, result = search(tmp_path, replace(KINDS[kind], frames=40))
    assert names_of(result) == {(min(pair), max(pair)) for pair in truth.pairs}
    there = KINDS[kind]
    each = there.odd_gain // there.odd_gains
    assert len(result.compared[0].of_pattern) == there.odd_gains * each * (each - 1) // 2
    (warning,) = (text for text in result.warnings if "not counted" in text)
    assert all(result.names[i] in warning for i in result.compared[0].of_pattern[0])


def test_pairs_without_a_shift_that_count_are_said(tmp_path: Path) -> None:
    _, result = search(tmp_path, replace(KINDS["three exposures of each area"], frames=30))
    assert result.compared[0].of_pattern == ()
    assert any("pairs have a shift of 2 px or less" in text for text in result.warnings)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("camera texture moves by 6 px", "all micrographs may share a pattern that moves"),
        ("camera texture moves by 30 px", "all micrographs may share a pattern that moves"),
        ("large viruses", "they also match when one is mirrored"),
        ("plain", ""),
        ("crystals at one angle", ""),
    ],
)
def test_a_null_distribution_that_is_not_usual_is_said_with_its_cause(kind: str, cause: str, tmp_path: Path) -> None:
    there = KINDS[kind]
    truth, result = search(tmp_path, replace(there, frames=32, spot=32 if there.spot else 0, repeats=min(there.repeats, 4)))
    assert names_of(result) <= {(min(pair), max(pair)) for pair in truth.pairs}
    said = [text for text in result.warnings if "unrelated pairs match better" in text]
    assert [cause in text for text in said] == ([True] if cause else [])


@pytest.mark.parametrize("kind", ["nothing but one spot", "nothing but one spot without a move", "strong gain residual"])
def test_a_session_of_nothing_but_one_spot_is_named_as_that(kind: str, tmp_path: Path) -> None:
    _, result = search(tmp_path, replace(KINDS[kind], frames=30, spot=30 if KINDS[kind].spot else 0))
    said = any("seem to show the same area" in text for text in result.warnings)
    assert said == (kind != "strong gain residual")

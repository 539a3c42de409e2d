"""Micrographs that are stored flipped, or turned by a right angle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from simulate.kinds import KINDS
from simulate.session import Truth, make

from cryodedup import MicrographParams, MicrographResult, find_duplicate_micrographs
from cryodedup.errors import InputError
from cryodedup.micrographs.stages.work import plan

KIND = replace(KINDS["plain"], frames=32, repeats=6, overlap=(0.5, 0.9))
CHANGES = {
    "flipped in x": np.fliplr,
    "flipped in y": np.flipud,
    "turned by 180": lambda image: np.rot90(image, 2),
    "transposed": np.transpose,
    "turned by 90": lambda image: np.rot90(image, -1),
    "turned by 270": np.rot90,
    "transposed and turned by 180": lambda image: np.rot90(np.transpose(image), 2),
}
"""What brings an image that is stored so back; rows run along y, so that a turn from x to y goes from columns to rows."""


def stored(directory: Path, changes: list[str], *, square: bool = False) -> Truth:
    """A session whose second visits are stored otherwise, in turn."""
    truth = make(directory, KIND, 7, shots=1)
    second = {later: changes[k % len(changes)] for k, (_, later) in enumerate(sorted(truth.pairs))}
    back = {name: next(n for n, undo in CHANGES.items() if name and (undo(CHANGES[name](PROBE)) == PROBE).all()) for name in CHANGES}
    for path in directory.glob("*.mrc"):
        with mrcfile.open(path, "r+") as file:
            image = np.array(file.data)[:, 104:616] if square else np.array(file.data)
            if path.stem in second:
                image = CHANGES[back[second[path.stem]]](image)
            file.set_data(np.ascontiguousarray(image))
    return truth


PROBE = np.arange(9).reshape(3, 3)


def search(directory: Path, *, flips: bool) -> MicrographResult:
    return find_duplicate_micrographs(directory, MicrographParams(bin=1, search_flips=flips))


def found(result: MicrographResult) -> dict[tuple[str, str], tuple[str, tuple[float, float]]]:
    stems = [Path(name).stem for name in result.names]
    return {(stems[pair.first], stems[pair.second]): (pair.orientation, pair.shift_px) for pair in result.pairs}


def test_flipped_frames_are_said_and_found_where_they_are_searched(tmp_path: Path) -> None:
    truth = stored(tmp_path, ["flipped in x", "flipped in y", "turned by 180"])
    without = search(tmp_path, flips=False)
    assert without.pairs == ()
    (warning,) = (text for text in without.warnings if "only if one micrograph is flipped or rotated" in text)
    assert f"at least {len(without.compared[0].mirrored)} pair" in warning
    assert "search_flips" in warning
    stems = [Path(name).stem for name in without.names]
    assert {(stems[i], stems[j]) for i, j, _ in without.compared[0].mirrored} <= truth.pairs.keys()
    result = search(tmp_path, flips=True)
    pairs = found(result)
    assert pairs.keys() == truth.pairs.keys()
    for k, pair in enumerate(sorted(truth.pairs)):
        assert pairs[pair][0] == ["flipped in x", "flipped in y", "turned by 180"][k % 3]
        assert pairs[pair][1] == pytest.approx(truth.pairs[pair][1], abs=1)
    assert any("match only if the second micrograph is flipped or rotated (" in text for text in result.warnings)
    assert not any("mirrored" in text for text in result.warnings)


def test_square_frames_have_eight_orientations(tmp_path: Path) -> None:
    truth = stored(tmp_path, list(CHANGES)[3:], square=True)
    pairs = found(search(tmp_path, flips=True))
    assert pairs.keys() == truth.pairs.keys()
    for k, pair in enumerate(sorted(truth.pairs)):
        assert pairs[pair][0] == list(CHANGES)[3:][k % 4]
        assert pairs[pair][1] == pytest.approx(truth.pairs[pair][1], abs=1)


def test_where_nothing_is_flipped_the_search_is_the_same(tmp_path: Path) -> None:
    make(tmp_path, KIND, 8, shots=1)
    without, flips = search(tmp_path, flips=False), search(tmp_path, flips=True)
    assert without.pairs == flips.pairs
    assert not any("mirrored" in text for text in (*without.warnings, *flips.warnings))


def test_stages_refuse(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="search_flips"):
        plan(tmp_path, MicrographParams(search_flips=True), tmp_path / "out")

"""What chance makes of a pair; the statistics themselves are tested in the core."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryodedup import MicrographParams, _core, find_duplicate_micrographs
from cryodedup.demo import make_micrographs


@pytest.mark.parametrize("start", [0, 1])
def test_the_pattern_of_few_micrographs_makes_no_pairs(tmp_path: Path, start: int) -> None:
    """It reaches a pixel or two from zero shift, and can only be taken out of 24 or more."""
    planted = make_micrographs(tmp_path)
    images = sorted((planted.star.parent / "Micrographs").iterdir())[start::2]
    assert len(images) < _core.MIN_FOR_FIXED_PATTERN
    result = find_duplicate_micrographs(images, MicrographParams(bin=2))
    found = {(Path(result.names[pair.first]).name, Path(result.names[pair.second]).name) for pair in result.pairs}
    assert found <= {(Path(first).name, Path(second).name) for first, second in planted.pairs}

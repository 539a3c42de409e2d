"""Real micrographs of one session, no two of which show one place: a part of what ``benches/real.py`` measures."""

from __future__ import annotations

import pytest
from real import LOSSES, Image, Loss, found_among, frames_of, parts_of, planted

from cases import SHARED, needs_shared

pytestmark = needs_shared


@pytest.fixture(scope="module")
def frames() -> dict[str, Image]:
    found = frames_of(SHARED / "data" / "real" / "empiar_10146")
    assert len(found) == 20
    return found


def test_no_pair_is_invented(frames: dict[str, Image]) -> None:
    assert found_among(frames, 2) == []
    quarters = parts_of(frames, 4)
    assert len(quarters) == 80
    assert found_among(quarters, 2) == []


@pytest.mark.parametrize("loss", [LOSSES[0], LOSSES[-1]], ids=lambda loss: loss.name)
def test_second_exposures_are_found(frames: dict[str, Image], loss: Loss) -> None:
    assert set(found_among(planted(frames, 0.5, loss, 7), 2)) == {(f"a_{name}", f"b_{name}") for name in frames}

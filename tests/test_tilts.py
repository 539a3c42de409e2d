"""Visits at different stage tilts: what the metadata give, and how micrographs are resampled to one foreshortening."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulate.kinds import KINDS
from simulate.session import make

from cryodedup import MicrographParams, find_duplicate_micrographs
from cryodedup.micrographs.acquisition import Acquisition, acquisitions_of
from cryodedup.micrographs.tilt import SAME, common, tilts_of
from cryodedup.names import as_options

MDOC = "PixelSpacing = 0.83\n[T = SerialEM: Krios]\n[T =     Tilt axis angle = -86.7, binning = 1  spot = 7]\n[FrameSet = 0]\n"
EPU = "FoilHole_5330589_Data_5338216_5338218_20200206_172047"
POSITION = "<stage><Position><A>{}</A><B>0.01</B><X>1e-4</X><Y>2e-4</Y><Z>0</Z></Position></stage>"


@pytest.mark.parametrize(
    ("text", "tilt", "axis"),
    [
        (MDOC + "TiltAngle = 29.98\nRotationAngle = 3.3\n", 29.98, -86.7),
        ("[FrameSet = 0]\nTiltAngle = -30\nRotationAngle = 3.3\n", -30.0, -86.7),
        ("[FrameSet = 0]\nTiltAngle = 10\n", 10.0, None),
        ("[FrameSet = 0]\nTiltAngle = nan\n", None, None),
        ("[ZValue = 0]\nTiltAngle = 0\n[ZValue = 1]\nTiltAngle = 3\n", None, None),  # of a tilt series
        ("", None, None),
    ],
)
def test_what_serialem_tells(text: str, tilt: float | None, axis: float | None, tmp_path: Path) -> None:
    (tmp_path / "a_001.mrc.mdoc").write_text(text)
    (known,) = acquisitions_of([tmp_path / "a_001.mrc"])
    assert known.tilt_deg == tilt
    assert known.tilt_axis_deg == (None if axis is None else pytest.approx(axis))


def test_an_mdoc_of_the_movie_counts_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "a.tif.mdoc").write_text("TiltAngle = 7\n")
    (tmp_path / "b.mrc.mdoc").mkdir()
    assert [one.tilt_deg for one in acquisitions_of([tmp_path / name for name in ("a.mrc", "b.mrc", "c.mrc")])] == [7.0, None, None]
    assert acquisitions_of([tmp_path / "nowhere" / "a.mrc"]) == [Acquisition()]


@pytest.mark.parametrize(("cell", "tilt"), [("0.5235987755982988", 30.0), ("x", None), ("-1.7e-4", -0.00974)])
@pytest.mark.parametrize("before", ["", "000123456789012345678_", "GridSquare_12_"])
def test_what_epu_tells(cell: str, tilt: float | None, before: str, tmp_path: Path) -> None:
    (tmp_path / f"{EPU}.xml").write_text(POSITION.format(cell))
    (known,) = acquisitions_of([tmp_path / f"{before}{EPU}_fractions.mrc"])
    assert known.tilt_deg == (None if tilt is None else pytest.approx(tilt, abs=1e-4))
    assert known.stage == (1e-4, 2e-4)


def tilted(*tilts_deg: float | None, axis: float | None = 90.0) -> list[Acquisition]:
    return [Acquisition(tilt_deg=tilt, tilt_axis_deg=axis) for tilt in tilts_deg]


def test_those_of_another_tilt_than_most_are_brought_to_it() -> None:
    tilts = tilts_of(tilted(0.0, 0.01, -0.02, 30.0, -30.0), None)
    assert sorted(tilts.maps) == [3, 4]
    # The axis lies along x: across it, a place of the untilted image is nearer to the middle in the tilted one.
    assert np.array(tilts.maps[3]) == pytest.approx(np.diag([1.0, math.cos(math.radians(30))]), abs=1e-3)
    assert tilts.warnings() == []
    assert tilts.summary() == {"usual_deg": 0.01, "axis_deg": 90.0, "brought_to_usual": 2, "left": 0}
    assert [len(tilts.of(members)) for members in ([0, 1], [0, 3])] == [0, 2]
    assert tilts.of([0, 3])[0] == SAME


def test_tilts_that_are_alike_or_unknown_change_nothing() -> None:
    for several in (tilted(), tilted(None, None), tilted(40.0, 40.1, -40.0), tilted(0.0, 4.0, axis=None)):
        tilts = tilts_of(several, None)
        assert not tilts.maps
        assert tilts.summary() is None
        assert tilts.warnings() == []


def test_without_an_axis_it_is_said() -> None:
    tilts = tilts_of(tilted(0.0, 0.0, 30.0, axis=None), None)
    (warning,) = tilts.warnings()
    assert "1 micrograph was not taken at the most common stage tilt" in warning
    assert "--tilt-axis" in as_options(warning)
    assert not tilts.maps
    assert tilts_of(tilted(0.0, 0.0, 30.0, axis=None), 90.0).maps == tilts_of(tilted(0.0, 0.0, 30.0), None).maps
    (warning,) = tilts_of([*tilted(0.0, 0.0, 30.0), Acquisition()], None).warnings()
    assert "the stage tilt of 1 micrograph is not known" in warning


def test_all_warnings_about_tilts_are_given() -> None:
    axis, unknown = tilts_of([*tilted(0.0, 0.0, 30.0), Acquisition()], 45.0).warnings()
    assert "--tilt-axis 45 is used, but the metadata give 90" in as_options(axis)
    assert "the stage tilt of 1 micrograph is not known" in unknown


def test_axes_around_180_degrees_are_one() -> None:
    several = [Acquisition(tilt_deg=tilt, tilt_axis_deg=axis) for tilt, axis in ((0.0, 89.0), (0.0, -90.5), (30.0, -91.0), (30.0, 45.0))]
    assert tilts_of(several, None).axis_deg in (-90.5, -91.0, 89.0)


def test_shift_and_share_of_a_pair_at_two_tilts() -> None:
    assert common((720, 512), (40.0, -30.0), SAME, SAME)[0] == pytest.approx((40, -30), abs=1e-9)
    assert common((720, 512), (40.0, -30.0), SAME, SAME)[1] == pytest.approx((680 / 720) * (482 / 512), abs=0.02)
    half = ((1.0, 0.0), (0.0, 0.5))  # the second was tilted by 60 degrees: it shows twice as much across the axis
    shift, share = common((720, 512), (0.0, 0.0), SAME, half)
    assert shift == pytest.approx((0, 0), abs=1e-9)
    assert share == pytest.approx(0.5, abs=0.02)
    assert common((720, 512), (2000.0, 0.0), SAME, half)[1] == 0


@pytest.mark.parametrize("seed", [7, 8])
def test_second_visits_at_30_degrees_are_found(seed: int, tmp_path: Path) -> None:
    kind = replace(KINDS["second visit tilted 30"], frames=32, repeats=4, overlap=(0.5, 0.9))
    truth = make(tmp_path, kind, seed, shots=1)
    result = find_duplicate_micrographs(tmp_path, MicrographParams(bin=1))
    stems = [Path(name).stem for name in result.names]
    assert {(stems[pair.first], stems[pair.second]) for pair in result.pairs} == truth.pairs.keys()
    for pair in result.pairs:
        share, move = truth.pairs[stems[pair.first], stems[pair.second]]
        assert max(abs(pair.shift_px[k] - move[k]) for k in (0, 1)) < 1.5
        assert pair.overlap == pytest.approx(share * math.cos(math.radians(30)), abs=0.03)
    assert result.summary()["tilts"]["brought_to_usual"] == 4
    for mdoc in tmp_path.glob("*.mdoc"):
        mdoc.unlink()
    assert len(find_duplicate_micrographs(tmp_path, MicrographParams(bin=1)).pairs) < 4

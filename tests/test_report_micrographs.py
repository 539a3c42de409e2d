"""The page about micrographs: true, and safe with any name."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cases import Ran
from cryodedup import MicrographParams, find_duplicate_micrographs
from cryodedup.demo.micrographs import BIN
from cryodedup.micrographs.acquisition import Acquisition, acquisition_of
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.gallery import MAX_PAIRS, doubtful_and_best
from cryodedup.report.cards import when
from page_reader import Page


def test_the_micrographs_page_tells_what_was_found(demo: Path) -> None:
    page = Page(demo / "unique" / "report.html")
    assert "45 micrographs: 36 kept, 9 removed as duplicates (9 sets)." in page.text
    assert "The duplicates were taken between 2026-01-15 10:08 and 2026-01-15 10:14." in page.text
    assert page.raw.count('class="stage filtered"') == page.raw.count('class="stage raw"') == 9
    assert sum(address.startswith("data:image/jpeg") for address in page.addresses) == 36
    assert "3 of 3" in page.text
    assert "Micrographs that show the same area were found with cryodedup" in page.text


def test_names_of_micrographs_are_shown_as_text(tmp_path: Path, demo: Path) -> None:
    images = sorted((demo / "session" / "Micrographs").iterdir())
    (tmp_path / "Micrographs").mkdir()
    odd = ["<script>alert(1)<-script>", "a\"b'c", "Müller $x^2$ {{ 7*7 }}", "n" * 180]
    paths = [tmp_path / "Micrographs" / f"{odd[k % 4]}{k}.mrc" for k in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        shutil.copy(image, path)
    raw = os.fsencode(str(tmp_path / "Micrographs")) + b"/latin\xe4.mrc"
    Path(os.fsdecode(raw)).write_bytes(b"no image")
    result = find_duplicate_micrographs(tmp_path / "Micrographs", MicrographParams(bin=BIN))
    assert len(result.pairs) == 9
    result.write(tmp_path / "out")
    page = Page(tmp_path / "out" / "report.html")
    for pair in result.pairs:
        assert result.names[pair.first] in page.text
    assert page.scripts == 1
    assert "latin\ufffdE4.mrc" in page.text
    assert next(iter(result.unreadable.values())) in page.text


def test_json_of_micrographs(demo: Path, tmp_path: Path, command: Callable[..., Ran]) -> None:
    ran = command("micrographs", demo / "session" / "micrographs.star", "--bin", BIN, "-o", tmp_path / "out", "--no-report", "--json")
    assert json.loads(ran.out)["pairs"] == 9
    assert not (tmp_path / "out" / "report.html").exists()


def test_what_was_accepted_and_what_was_compared_with_none(demo: Path, tmp_path: Path) -> None:
    images = tmp_path / "Micrographs"
    shutil.copytree(demo / "session" / "Micrographs", images)
    mrcfile.write(images / "small.mrc", np.random.default_rng(1).normal(50, 7, (300, 400)).astype(np.float32))
    result = find_duplicate_micrographs(images, MicrographParams(bin=BIN))
    alone = f"only micrographs of the same size are compared; no other has the size of {images / 'small.mrc'}"
    assert any(warning.endswith(alone) for warning in result.warnings)
    turned = replace(result.pairs[0], rotation_deg=-1.25, scale=1.004)
    replace(result, pairs=[turned, *result.pairs[1:]]).write(tmp_path / "out")
    text = Page(tmp_path / "out" / "report.html").text
    assert "9 are accepted." in text
    assert text.count("-1.25°, 1.0040") == 1
    assert "from other shots of the same holes; the first by name of each of 9 sets was kept, and 9 micrographs were removed." in text
    assert re.search(r"since no other has the same size:\s*\S*small.mrc", text)


def test_few_micrographs_are_not_said_to_be_freed_of_a_pattern(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "Micrographs").mkdir()
    images = sorted((demo / "session" / "Micrographs").iterdir())[:6]
    for image in images:
        shutil.copy(image, tmp_path / "Micrographs")
    result = find_duplicate_micrographs(tmp_path / "Micrographs", MicrographParams(bin=BIN))
    result.write(tmp_path / "out")
    text = Page(tmp_path / "out" / "report.html").text
    assert "No duplicates among 6 micrographs." in text
    assert "binned by 2, whitened, were cross-correlated" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("FoilHole_1000_Data_200_300_20260115_100800.mrc", "2026-01-15 10:08"),
        ("x_00012_3-1_Mar07_23.59.58.mrc", "7 Mar 23:59"),
        ("mic_00001.mrc", ""),
    ],
)
def test_times_are_read_from_names(name: str, expected: str) -> None:
    assert when(acquisition_of(name)) == expected
    assert when(Acquisition()) == ""


def test_the_gallery_shows_the_doubtful_and_the_best() -> None:
    rng = np.random.default_rng(5)
    pairs = [
        Pair(k, k + 1, float(z), 0.0, 0.0, 0.0, 1.0, (0.0, 0.0), "contradicted" if k in (3, 300) else "")
        for k, z in enumerate(rng.random(400))
    ]
    doubtful, best = doubtful_and_best(pairs)
    assert len(doubtful) + len(best) == MAX_PAIRS
    assert set(doubtful[:2]) == {3, 300}
    assert [pairs[k].z for k in doubtful[2:]] == sorted(pairs[k].z for k in doubtful[2:])
    assert pairs[best[0]].z == max(pair.z for pair in pairs)
    for n in range(6):
        both = doubtful_and_best(pairs[:n])
        assert sorted([*both[0], *both[1]]) == list(range(n))

"""The pages: whole, small, safe with any name, and without complaint from a browser."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cases import Ran, star
from cryodedup import MicrographParams, ParticleParams, deduplicate_particles, find_duplicate_micrographs
from cryodedup.demo import make_micrographs, make_refined, make_session
from cryodedup.demo.micrographs import BIN, HEIGHT, WIDTH
from cryodedup.micrographs.acquisition import Acquisition, acquisition_of
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.gallery import MAX_PAIRS, doubtful_and_best
from cryodedup.report.cards import when
from cryodedup.report.particles import binomial_tail

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: pages are not looked at in a browser")
MOST_BYTES = 5_000_000
PNG = b"\x89PNG\r\n\x1a\n"


class Page(HTMLParser):
    """The text of a page, its tags, and every address in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.inside = ""
        self.raw = path.read_text("utf-8")
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.inside = tag
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]

    def handle_data(self, data: str) -> None:
        if self.inside not in ("style", "script"):
            self.text += data.replace("\u00a0", " ")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the demo's sessions: ``particles``, ``unique`` and ``refined``."""
    directory = tmp_path_factory.mktemp("pages")
    session = make_session(directory / "session")
    deduplicate_particles(session.paths, ParticleParams(min_separation_a=40)).write(directory / "particles")
    planted = make_micrographs(directory / "session")
    find_duplicate_micrographs(planted.star, MicrographParams(bin=BIN)).write(directory / "unique")
    refined = ParticleParams(min_separation_a=40, micrographs=planted.star)
    deduplicate_particles(make_refined(planted).path, refined).write(directory / "refined")
    return directory


@pytest.mark.parametrize("name", ["particles", "unique", "refined"])
def test_a_page_is_one_file_that_needs_nothing_else(name: str, demo: Path) -> None:
    page = Page(demo / name / "report.html")
    assert len(page.raw.encode()) < MOST_BYTES
    assert page.addresses
    assert all(address.startswith("data:") for address in page.addresses)
    assert not re.search(r"url\(|@import|https?://", page.raw)
    assert "link" in page.tags
    figures = sorted((demo / name / "figures").iterdir())
    assert len(figures) >= 3
    assert all(figure.read_bytes().startswith(PNG) for figure in figures)
    summary = json.loads((demo / name / "summary.json").read_text())
    assert {"report.html", *(f"figures/{figure.name}" for figure in figures)} <= set(summary["outputs"])


def test_the_particles_page_tells_what_was_found(demo: Path) -> None:
    text = Page(demo / "particles" / "report.html").text
    for wanted in (
        "6,633 picks in 12 micrographs: 2,730 kept, 3,903 rejected (58.8 %), at 40 Å.",
        "suggested minimum separation: ",
        "Pickers against each other",
        "The worst micrograph (of the largest share of rejected): ",
        "For a methods section",
        "Duplicates among 3 sets of picks were found with cryodedup ",
        "min_separation_a",
    ):
        assert wanted in text
    assert {path.stem for path in (demo / "particles" / "figures").iterdir()} >= {
        "distances", "kept", "pickers", "found_by", "scores", "example_worst", "example_median", "example_random",
    }  # fmt: skip


def test_the_page_of_refined_particles_tells_of_half_sets_and_shows_images(demo: Path) -> None:
    page = Page(demo / "refined" / "report.html")
    for wanted in (
        "8,211 picks in 45 micrographs: 6,553 kept, 1,658 rejected (20.2 %), at 40 Å.",
        "which reaches the 0.143 threshold: the resolution from these half-sets is not valid",
        "816 pairs of duplicates across them",
        "Arrows lead from where particles were picked to where shifts put them",
    ):
        assert wanted in page.text
    assert "image was not found" not in page.text


def test_micrographs_stand_out_only_where_chance_does_not_make_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    columns = "CoordinateX CoordinateY MicrographName AutopickFigureOfMerit"

    def page_of(planted: int) -> str:
        rows: list[tuple[object, ...]] = []
        for k in range(600):
            twice = rng.random(40) < (0.6 if k < planted else 0.05)
            rows += [(100 * i, 0, f"m{k:03d}.mrc", 1) for i in range(40)] + [
                (100 * i + 1, 0, f"m{k:03d}.mrc", 0) for i in np.flatnonzero(twice)
            ]
        result = deduplicate_particles(star(tmp_path / "p.star", rows, columns), ParticleParams(pixel_size_a=1.0))
        result.write(tmp_path / "out", overwrite=True)
        return Page(tmp_path / "out" / "report.html").text

    assert "stand out" not in page_of(0)
    text = page_of(2)
    assert "Micrographs that stand out" in text
    told = text[text.index("stand out") :]
    assert set(re.findall(r"m\d\d\d\.mrc", told)) == {"m000.mrc", "m001.mrc"}


@pytest.mark.parametrize(("least", "n", "share"), [(3, 10, 0.1), (30, 300, 0.05), (0, 5, 0.2), (5, 5, 0.2), (700, 1000, 0.3)])
def test_the_binomial_tail_is_the_sum_of_its_terms(least: int, n: int, share: float) -> None:
    exact = sum(math.comb(n, k) * Fraction(share) ** k * (1 - Fraction(share)) ** (n - k) for k in range(least, n + 1))
    assert binomial_tail(least, n, share) == pytest.approx(float(exact), rel=1e-9)


def test_the_micrographs_page_tells_what_was_found(demo: Path) -> None:
    page = Page(demo / "unique" / "report.html")
    assert "45 micrographs: 36 kept, 9 removed, since others show the same (9 sets)." in page.text
    assert "The duplicates were taken between 2026-01-15 10:08 and 2026-01-15 10:14." in page.text
    assert page.tags.count("button") == 9
    assert sum(address.startswith("data:image/jpeg") for address in page.addresses) == 18
    assert "3 of 3" in page.text
    assert "Micrographs that show the same area were found with cryodedup" in page.text


EVIL = ["<script>alert(1)</script>.mrc", "\"><img src=x onerror=alert(1)>'.mrc", "Müller $x^2$ & {{ 7*7 }} 試料.mrc", "n" * 296 + ".mrc"]


@pytest.mark.parametrize("number", range(len(EVIL)))
def test_names_are_shown_as_text(number: int, tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName AutopickFigureOfMerit"
    name = EVIL[number].replace(" ", "_").replace('"', "'")
    rows = [(x, 7 * x, name, x) for x in (1, 2, 30, 31, 90, 200)]
    folder = tmp_path / "<b>o'dd & ünïcode $x_{y}$"
    folder.mkdir()
    paths = [star(folder / f"{word} <i>$.star", rows, columns) for word in ("one", "two")]
    known = star(tmp_path / "known.star", [(name, 1.0)], "MicrographName MicrographPixelSize", block="micrographs")
    deduplicate_particles(paths, ParticleParams(micrographs=known)).write(tmp_path / "out")
    page = Page(tmp_path / "out" / "report.html")
    assert name in page.text
    assert str(paths[0]) in page.text
    assert page.tags.count("script") == 1
    assert not {"b", "i"} & set(page.tags)
    assert "onerror" not in re.sub(r"&lt;.*?&gt;", "", page.raw)


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
    assert page.tags.count("script") == 1
    assert "latin\ufffd.mrc" in page.text
    assert next(iter(result.unreadable.values())) in page.text


def test_no_report_makes_none_and_json_is_the_summary(tmp_path: Path, command: Callable[..., Ran]) -> None:
    columns = "CoordinateX CoordinateY MicrographName"
    path = star(tmp_path / "p.star", [(1, 1, "m"), (2, 1, "m"), (200, 1, "m")], columns)
    ran = command("particles", path, "--pixel-size", 1, "-o", tmp_path / "out", "--no-report", "--json")
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == [
        "duplicates.csv", "particles_kept.star", "particles_rejected.star", "summary.json",
    ]  # fmt: skip
    assert json.loads(ran.out) == json.loads((tmp_path / "out" / "summary.json").read_text())
    quiet = command("particles", path, "--pixel-size", 1, "-o", tmp_path / "dry", "--dry-run", "--json", "-q")
    assert json.loads(quiet.out)["kept"] == 2
    assert not (tmp_path / "dry").exists()


def test_what_a_user_keeps_beside_the_page_stays(tmp_path: Path, command: Callable[..., Ran]) -> None:
    path = star(tmp_path / "p.star", [(1, 1, "m"), (2, 1, "m"), (200, 1, "m")], "CoordinateX CoordinateY MicrographName")
    out = tmp_path / "out"
    arguments = ("particles", path, "--pixel-size", 1, "-o", out)
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "paper.png").write_text("mine")
    (out / "figures" / "more").mkdir()
    for more in ([], ["--overwrite"], ["--overwrite", "--no-report"], ["--overwrite"]):
        assert command(*arguments, *more).status == 0
        assert (out / "figures" / "paper.png").read_text() == "mine"
        assert (out / "figures" / "more").is_dir()
        assert (out / "figures" / "kept.png").exists() == ("--no-report" not in more)
    (out / "figures" / "scores.png").write_text("mine, not written by the last run")
    assert command(*arguments, "--overwrite").status == 0
    assert (out / "figures" / "scores.png").read_text() == "mine, not written by the last run"
    assert command(*arguments, "--overwrite", "--no-report").status == 0
    (out / "figures" / "kept.png").write_text("mine")
    before = {entry.name: entry.read_bytes() for entry in out.rglob("*") if entry.is_file()}
    ran = command(*arguments, "--overwrite")
    assert (ran.status, "figures/kept.png: found what no earlier run of this command wrote" in ran.err) == (2, True)
    assert {entry.name: entry.read_bytes() for entry in out.rglob("*") if entry.is_file()} == before
    shutil.rmtree(out / "figures")
    (out / "figures").write_text("mine, too")
    before = {entry.name: entry.read_bytes() for entry in out.iterdir()}
    assert command(*arguments, "--overwrite", "--min-separation", 300).status == 2
    assert {entry.name: entry.read_bytes() for entry in out.iterdir()} == before


def test_nothing_heavy_is_loaded_without_a_page(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(1, 1, "m"), (2, 1, "m")], "CoordinateX CoordinateY MicrographName")
    code = (
        "import sys; from cryodedup import *; "
        f"deduplicate_particles({str(path)!r}, ParticleParams(pixel_size_a=1.0)).write({str(tmp_path / 'out')!r}, report=False); "
        "print([name for name in ('matplotlib', 'jinja2', 'PIL', 'rich') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_page_that_fails_costs_no_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = star(tmp_path / "p.star", [(1, 1, "m"), (2, 1, "m")], "CoordinateX CoordinateY MicrographName")
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0))
    monkeypatch.setattr("cryodedup.report.particles.render", lambda *_, **__: 1 / 0)
    result.write(tmp_path / "out")
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {
        "duplicates.csv", "particles_kept.star", "particles_rejected.star", "summary.json",
    }  # fmt: skip
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["warnings"][-1] == "no page was made: ZeroDivisionError: division by zero; please report this"
    assert "report.html" not in summary["outputs"]


def test_json_of_micrographs(demo: Path, tmp_path: Path, command: Callable[..., Ran]) -> None:
    ran = command("micrographs", demo / "session" / "micrographs.star", "--bin", BIN, "-o", tmp_path / "out", "--no-report", "--json")
    assert json.loads(ran.out)["pairs"] == 9
    assert not (tmp_path / "out" / "report.html").exists()


def test_pages_of_hardly_anything(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName"
    for k, rows in enumerate(([], [(1, 1, "m")], [(1, 1, "m"), (1, 1, "m")])):
        result = deduplicate_particles(star(tmp_path / f"{k}.star", rows, columns), ParticleParams(pixel_size_a=1.0))
        result.write(tmp_path / str(k))
        assert f"{len(rows)} pick{'s' * (len(rows) != 1)} in" in Page(tmp_path / str(k) / "report.html").text


def test_a_page_of_tomograms_of_all_rejected_and_of_a_repair(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY CoordinateZ TomoName RandomSubset"
    rows = [(x, 2 * x, 3 * x, f"t{x % 3}", 1 + x % 2) for x in range(60)]
    path = star(tmp_path / "p.star", rows, columns)
    for k, params in enumerate(({"remove_entirely": True}, {"half_sets": "repair"}, {"min_separation_a": 0.0}, {"score_field": "none"})):
        result = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0, **params))
        result.write(tmp_path / str(k))
        text = Page(tmp_path / str(k) / "report.html").text
        assert ("moved to the other half-set" in text) == (k == 1)
        assert "half-sets of 30 and 30 particles: " in text


def test_the_image_is_behind_the_particles_where_it_can_be_read(demo: Path, tmp_path: Path) -> None:
    from cryodedup.report.examples import examples

    images = sorted((demo / "session" / "Micrographs").iterdir())
    (tmp_path / "Micrographs").mkdir()
    shutil.copy(images[0], tmp_path / "Micrographs" / "a.mrc")
    known = star(tmp_path / "micrographs.star", [("Micrographs/a.mrc", 3.3)], "MicrographName MicrographPixelSize", block="micrographs")
    rows = [(x, 10, "Micrographs/a.mrc") for x in range(0, 700, 3)]
    path = star(tmp_path / "p.star", rows, "CoordinateX CoordinateY MicrographName")
    (example,) = examples(deduplicate_particles(path, ParticleParams(micrographs=known)))
    assert example.image is not None
    assert example.image.shape == (256, 360)
    assert example.extent_a == pytest.approx((0, 720 * 3.3, 0, 512 * 3.3))
    (empty,) = examples(deduplicate_particles(path, ParticleParams(pixel_size_a=3.3)))
    assert (empty.image, empty.missing) == (None, "")
    (tmp_path / "Micrographs" / "a.mrc").write_bytes(b"no image")
    deduplicate_particles(path, ParticleParams(micrographs=known)).write(tmp_path / "junk")
    assert "(its image could not be read: " in Page(tmp_path / "junk" / "report.html").text
    (tmp_path / "Micrographs" / "a.mrc").unlink()
    deduplicate_particles(path, ParticleParams(micrographs=known)).write(tmp_path / "none")
    assert "(its image was not found)" in Page(tmp_path / "none" / "report.html").text


def test_arrows_are_long_enough_to_be_seen(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName OriginXAngst OriginYAngst"
    rows = [(x, y, "m", 3.0, -4.0) for x in range(0, 2001, 200) for y in range(0, 2001, 200)]
    params = ParticleParams(pixel_size_a=1.0, shift_key="alignments2D")
    deduplicate_particles(star(tmp_path / "p.star", rows, columns), params).write(tmp_path / "out")
    text = Page(tmp_path / "out" / "report.html").text
    assert "where shifts put them, 10 times as long as the moves: 5.0 Å in the median." in text


def test_what_was_accepted_and_what_was_compared_with_none(demo: Path, tmp_path: Path) -> None:
    images = tmp_path / "Micrographs"
    shutil.copytree(demo / "session" / "Micrographs", images)
    mrcfile.write(images / "small.mrc", np.random.default_rng(1).normal(50, 7, (300, 400)).astype(np.float32))
    result = find_duplicate_micrographs(images, MicrographParams(bin=BIN))
    assert any(warning.endswith(f"only those of one size are compared, {images / 'small.mrc'} with none") for warning in result.warnings)
    turned = replace(result.pairs[0], rotation_deg=-1.25, scale=1.004)
    replace(result, pairs=[turned, *result.pairs[1:]]).write(tmp_path / "out")
    text = Page(tmp_path / "out" / "report.html").text
    assert "9 are accepted." in text
    assert text.count("-1.25°, 1.0040") == 1
    assert "from other shots of the same holes; the first by name of each of 9 sets was kept, and 9 micrographs removed." in text
    assert re.search(r"since no other one is of their size:\s*\S*small.mrc", text)


def test_few_micrographs_are_not_said_to_be_freed_of_a_pattern(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "Micrographs").mkdir()
    images = sorted((demo / "session" / "Micrographs").iterdir())[:6]
    for image in images:
        shutil.copy(image, tmp_path / "Micrographs")
    result = find_duplicate_micrographs(tmp_path / "Micrographs", MicrographParams(bin=BIN))
    result.write(tmp_path / "out")
    text = Page(tmp_path / "out" / "report.html").text
    assert "No duplicates among 6 micrographs." in text
    assert "binned 2 times, whitened, were cross-correlated" in text


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


def in_browser(page: Path, tmp_path: Path, script: str = "") -> tuple[str, str]:
    """The page's DOM after a while, and what the browser complained of; a ``script`` may act as a user would."""
    text = page.read_text("utf-8")
    copy = tmp_path / "page.html"
    copy.write_text(text.replace("</body>", f"<script>{{{script}}}</script></body>") if script else text, "utf-8")
    assert BROWSER is not None
    ran = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0", "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--log-net-log={tmp_path / 'net.json'}", "--virtual-time-budget=4000", "--dump-dom", copy.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return ran.stdout, "\n".join(line for line in ran.stderr.splitlines() if "CONSOLE" in line)


@needs_browser
@pytest.mark.parametrize("name", ["particles", "unique", "refined"])
def test_a_browser_has_nothing_to_complain_of(name: str, demo: Path, tmp_path: Path) -> None:
    dom, complaints = in_browser(demo / name / "report.html", tmp_path)
    assert complaints == ""
    assert "</html>" in dom
    asked = re.findall(r'"url":"((?:https?|wss?)://[^"]*)"', (tmp_path / "net.json").read_text(errors="replace"))
    assert [url for url in asked if "google" not in url and "gvt1" not in url] == []  # the browser's own are not the page's


@needs_browser
def test_a_browser_would_complain(demo: Path, tmp_path: Path) -> None:
    """The test above can fail."""
    _, complaints = in_browser(demo / "particles" / "report.html", tmp_path, "fetch('https://example.org/x'); undefinedFunction();")
    assert "Content Security Policy" in complaints
    assert "undefinedFunction" in complaints


@needs_browser
def test_tables_are_sorted_and_pairs_blink(demo: Path, tmp_path: Path) -> None:
    script = """
      const table = document.querySelector("details table.sortable");
      table.tHead.rows[0].cells[3].click();
      const down = [...table.tBodies[0].rows].map((row) => Number(row.cells[3].dataset.value));
      table.tHead.rows[0].cells[3].click();
      const up = [...table.tBodies[0].rows].map((row) => Number(row.cells[3].dataset.value));
      const stages = [...document.querySelectorAll(".stage")];
      stages[0].click();
      const seen = new Set();
      setInterval(() => stages.slice(0, 2).forEach((stage, k) => seen.add(k + " " + stage.className)), 100);
      const tell = (name, value) => document.body.setAttribute("data-" + name, JSON.stringify(value));
      tell("down", down); tell("up", up);
      setTimeout(() => { tell("one", [...seen].sort()); document.dispatchEvent(new KeyboardEvent("keydown", { key: "b" })); }, 1500);
      setTimeout(() => tell("all", [...seen].sort()), 3500);
    """
    dom, complaints = in_browser(demo / "unique" / "report.html", tmp_path, script)
    assert complaints == ""

    def told(name: str) -> list[object]:
        found = re.search(f'data-{name}="([^"]*)"', dom)
        assert found
        values = json.loads(found[1].replace("&quot;", '"'))
        assert isinstance(values, list)
        return values

    assert told("down") == sorted(told("up"), reverse=True)
    assert told("up") == sorted(told("up"))
    assert len(told("up")) == 9
    assert {"0 stage first", "0 stage alone"} <= set(told("one"))
    assert not {"1 stage first", "1 stage alone"} & set(told("one"))
    assert {"1 stage first", "1 stage alone"} <= set(told("all"))


@needs_browser
def test_what_both_show_stands_side_by_side(demo: Path, tmp_path: Path) -> None:
    dom, _ = in_browser(demo / "unique" / "report.html", tmp_path)
    rows = {
        (row["Original"], row["Duplicate"]): row for row in csv.DictReader((demo / "unique" / "duplicates.csv").read_text().splitlines())
    }
    seen = 0
    for names, sides in re.findall(r'<button class="stage".*?((?:<img [^>]*>\s*){2}).*?<div class="sides">(.*?)</div>', dom, re.DOTALL):
        first, second = re.findall(r'alt="([^"]*)"', names)
        row = next(row for (a, b), row in rows.items() if (Path(a).name, Path(b).name) == (first, second))
        copies = re.findall(r'<img [^>]*style="left: ([-\d.]+)%; ?top: ([-\d.]+)%; ?width: ([-\d.]+)%; ?height: ([-\d.]+)%', sides)
        (x, y, width, height), (other_x, other_y, other_width, other_height) = ([float(value) for value in copy] for copy in copies)
        assert width == pytest.approx(other_width, rel=1e-3)
        # A point of both is at one place of both sides: where the pictures begin differs by the move.
        assert (other_x - x) / width == pytest.approx(float(row["shift_x_px"]) / WIDTH, abs=2e-3)
        assert (other_y - y) / height == pytest.approx(-float(row["shift_y_px"]) / HEIGHT, abs=2e-3)
        assert other_height == pytest.approx(height, rel=1e-3)
        seen += 1
    assert seen == len(rows) == 9

"""The pages: whole, small, true, and safe with any name."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from cases import Ran, star
from cryodedup import MicrographResult, ParticleParams, ParticleResult, deduplicate_particles, find_duplicate_micrographs, report
from cryodedup.demo.micrographs import BIN
from cryodedup.report.micrograph_text import used_lines
from cryodedup.report.next_steps import _to_programs
from cryodedup.report.outliers import binomial_tail, names_of_micrographs
from cryodedup.report.page import Origin
from cryodedup.report.particle_page import particle_page
from cryodedup.report.picks import drawings
from cryodedup.write.particles import write_particles
from page_reader import Page, hash_of

MOST_BYTES = 5_000_000


@pytest.mark.parametrize("name", ["particles", "unique", "refined"])
def test_a_page_runs_its_own_script_and_no_other(name: str, demo: Path) -> None:
    raw = Page(demo / name / "report.html").raw
    (policy,) = re.findall(r"script-src ([^;\"]*)", raw)
    scripts = re.findall(r"<script>(.*?)</script>", raw, re.DOTALL)
    assert [policy] == [f"'{hash_of(script)}'" for script in scripts]
    assert not re.search(r"<[^>]* on\w+=", raw.replace(scripts[0], ""))


@pytest.mark.parametrize("name", ["particles", "unique", "refined"])
def test_a_page_is_one_file_that_needs_nothing_else(name: str, demo: Path) -> None:
    page = Page(demo / name / "report.html")
    assert len(page.raw.encode()) < MOST_BYTES
    assert page.addresses
    outside = [address for address in page.addresses if not address.startswith(("data:", "#"))]
    assert {unquote(address) for address in outside} == {
        f"./{entry.name}" for entry in (demo / name).iterdir() if entry.name not in ("figures", "report.html")
    }
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(re.findall(r' id="([^"]*)"', page.raw))
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", page.raw)
    assert "link" in page.tags
    figures = sorted((demo / name / "figures").iterdir())
    assert len(figures) >= 3
    listed = re.search(r'name="cryodedup-figures" content="([\w ]*)"', page.raw[:4096])
    assert listed is not None
    assert sorted(listed[1].split()) == [figure.stem for figure in figures]


def test_the_particles_page_tells_what_was_found(demo: Path) -> None:
    text = Page(demo / "particles" / "report.html").text
    for wanted in (
        "6,633 particles in 12 micrographs: 2,730 kept, 3,903 rejected (58.8 %) at a minimum separation of 40 Å.",
        "suggested minimum separation: ",
        "Comparison of the inputs",
        "The worst micrograph (the one with the largest share of rejected particles): ",
        "For a methods section",
        "Duplicates among 3 sets of particles were found with cryodedup ",
        "min_separation_a",
    ):
        assert wanted in text
    assert {path.stem for path in (demo / "particles" / "figures").iterdir()} >= {
        "distances", "kept", "pickers", "found_by", "scores", "example_worst", "example_median", "example_random",
    }  # fmt: skip


def test_the_page_of_refined_particles_tells_of_half_sets_and_shows_images(demo: Path) -> None:
    page = Page(demo / "refined" / "report.html")
    for wanted in (
        "8,211 particles in 45 micrographs: 6,553 kept, 1,658 rejected (20.2 %) at a minimum separation of 40 Å.",
        "above the 0.143 threshold: the resolution from these half-sets is not valid",
        "816 pairs of duplicates across them",
        "Arrows: from pick to shifted centre",
        "Images are shown for 30 of them; with more, the page would be too large, or take too long to make.",
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
    told = text[text.index("significantly more") : text.rindex("Table of micrographs")]
    assert set(re.findall(r"m\d\d\d\.mrc", told)) == {"m000.mrc", "m001.mrc"}


@pytest.mark.parametrize(("least", "n", "share"), [(3, 10, 0.1), (30, 300, 0.05), (0, 5, 0.2), (5, 5, 0.2), (700, 1000, 0.3)])
def test_the_binomial_tail_is_the_sum_of_its_terms(least: int, n: int, share: float) -> None:
    exact = sum(math.comb(n, k) * Fraction(share) ** k * (1 - Fraction(share)) ** (n - k) for k in range(least, n + 1))
    assert binomial_tail(least, n, share) == pytest.approx(float(exact), rel=1e-9)


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
    assert page.scripts == 1
    assert not {"b", "i"} & set(page.tags)
    for figure in (tmp_path / "out" / "figures").iterdir():
        assert not {"script", "img", "b", "i"} & {element.tag.rpartition("}")[2] for element in ElementTree.parse(figure).iter()}
    assert "onerror" not in re.sub(r"(&lt;|\\u003c).*?(&gt;|\\u003e)", "", page.raw)


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
        assert (out / "figures" / "kept.svg").exists() == ("--no-report" not in more)
    (out / "figures" / "scores.svg").write_text("mine, not written by the last run")
    assert command(*arguments, "--overwrite").status == 0
    assert (out / "figures" / "scores.svg").read_text() == "mine, not written by the last run"
    assert command(*arguments, "--overwrite", "--no-report").status == 0
    (out / "figures" / "kept.svg").write_text("mine")
    before = {entry.name: entry.read_bytes() for entry in out.rglob("*") if entry.is_file()}
    ran = command(*arguments, "--overwrite")
    assert (ran.status, "figures/kept.svg: found a file that no earlier run of this command wrote" in ran.err) == (2, True)
    assert {entry.name: entry.read_bytes() for entry in out.rglob("*") if entry.is_file()} == before
    shutil.rmtree(out / "figures")
    (out / "figures").write_text("mine, too")
    before = {entry.name: entry.read_bytes() for entry in out.iterdir()}
    assert command(*arguments, "--overwrite", "--min-separation", 300).status == 2
    assert {entry.name: entry.read_bytes() for entry in out.iterdir()} == before


@pytest.mark.parametrize(("report", "loaded"), [(False, []), (True, ["jinja2"])])
def test_nothing_heavy_is_loaded(tmp_path: Path, report: bool, loaded: list[str]) -> None:
    path = star(tmp_path / "p.star", [(1, 1, "m"), (2, 1, "m")], "CoordinateX CoordinateY MicrographName")
    code = (
        "import sys; from cryodedup import *; "
        f"deduplicate_particles({str(path)!r}, ParticleParams(pixel_size_a=1.0)).write({str(tmp_path / 'out')!r}, report={report}); "
        "print([name for name in ('matplotlib', 'jinja2', 'PIL', 'rich') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == repr(loaded)


def test_a_page_changes_nothing_and_is_the_same_every_time(demo: Path) -> None:
    result = deduplicate_particles(demo / "session" / "relion.star", ParticleParams(min_separation_a=40))
    before = copy.deepcopy({name: getattr(result, name) for name in ("kept", "warnings", "notes", "times_s")})
    origin = Origin(
        command="cryodedup particles <a> & 'b'", notes=("a <note>",), outputs=("a <b> & 'c'.star",), directory="<d>", host="<h>"
    )
    page = particle_page(result, origin)
    for name, value in before.items():
        assert np.array_equal(getattr(result, name), value), name
    assert page == particle_page(result, origin)
    assert '<a href="./a%20%3Cb%3E%20%26%20%27c%27.star">a &lt;b&gt; &amp; &#39;c&#39;.star</a>' in page.html
    assert '<pre tabindex="0">cryodedup particles &lt;a&gt; &amp; &#39;b&#39;</pre>' in page.html
    assert '<p class="note">a &lt;note&gt;</p>' in page.html


def test_a_page_says_what_is_estimated(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = deduplicate_particles(demo / "session" / "relion.star", ParticleParams(min_separation_a=40))
    assert "Estimated from" not in particle_page(result).html
    monkeypatch.setattr("cryodedup.report.particle_page.MAX_SAMPLED", 700)
    assert particle_page(result).html.count("Estimated from 7") == 2


def test_a_page_that_fails_costs_no_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = star(tmp_path / "p.star", [(1, 1, "m"), (2, 1, "m")], "CoordinateX CoordinateY MicrographName")
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0))
    monkeypatch.setattr("cryodedup.report.particle_page.page", lambda *_, **__: 1 / 0)
    delivered = write_particles(result, tmp_path / "out")
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {
        "duplicates.csv", "particles_kept.star", "particles_rejected.star", "summary.json",
    }  # fmt: skip
    assert delivered.warnings == ("no page was written: ZeroDivisionError: division by zero; please report this",)


def test_pages_of_hardly_anything(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName"
    for k, rows in enumerate(([], [(1, 1, "m")], [(1, 1, "m"), (1, 1, "m")])):
        result = deduplicate_particles(star(tmp_path / f"{k}.star", rows, columns), ParticleParams(pixel_size_a=1.0))
        result.write(tmp_path / str(k))
        assert ("There are no particles in", "No duplicates among 1 particle in 1 micrograph", "2 particles in 1 micrograph: 1 kept")[
            k
        ] in Page(tmp_path / str(k) / "report.html").text


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
    from cryodedup.report.figures.examples import examples

    images = sorted((demo / "session" / "Micrographs").iterdir())
    (tmp_path / "Micrographs").mkdir()
    shutil.copy(images[0], tmp_path / "Micrographs" / "a.mrc")
    known = star(tmp_path / "micrographs.star", [("Micrographs/a.mrc", 3.3)], "MicrographName MicrographPixelSize", block="micrographs")
    rows = [(x, 10, "Micrographs/a.mrc") for x in range(0, 700, 3)]
    path = star(tmp_path / "p.star", rows, "CoordinateX CoordinateY MicrographName")
    (example,) = examples(deduplicate_particles(path, ParticleParams(micrographs=known)))
    assert example.image.pixels is not None
    assert example.image.pixels.shape == (512, 720)
    assert example.extent_a == pytest.approx((0, 720 * 3.3, 0, 512 * 3.3))
    (empty,) = examples(deduplicate_particles(path, ParticleParams(pixel_size_a=3.3)))
    assert (empty.image.pixels, empty.image.missing) == (None, "")
    (tmp_path / "Micrographs" / "a.mrc").write_bytes(b"no image")
    deduplicate_particles(path, ParticleParams(micrographs=known)).write(tmp_path / "junk")
    assert "(its image could not be read: " in Page(tmp_path / "junk" / "report.html").text
    (tmp_path / "Micrographs" / "a.mrc").unlink()
    deduplicate_particles(path, ParticleParams(micrographs=known)).write(tmp_path / "none")
    assert "(its image was not found)" in Page(tmp_path / "none" / "report.html").text


def test_arrows_are_long_enough_to_be_seen(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName OriginXAngst OriginYAngst"
    rows = [(x, y, "m", 3.0, -4.0) for x in range(0, 2001, 200) for y in range(0, 2001, 200)] + [(1, 0, "m", 3.0, -4.0)]
    params = ParticleParams(pixel_size_a=1.0, shift_key="alignments2D")
    deduplicate_particles(star(tmp_path / "p.star", rows, columns), params).write(tmp_path / "out")
    text = Page(tmp_path / "out" / "report.html").text
    assert "Arrows: from pick to shifted centre; 10 x too long in the whole micrograph. Median shift: 5.0 Å." in text


@pytest.mark.parametrize("dark", [False, True])
def test_letters_stand_out_from_the_page(dark: bool) -> None:
    """Contrast of at least 4.5 (WCAG 2.1, level AA), also where a background is a gradient and axe-core cannot say."""
    style = (Path(report.__file__).parent / "templates" / "page.css").read_text("utf-8").split("@media print")[0]
    known = dict(re.findall(r"--(\w+): (#\w{6})", style.split("prefers-color-scheme: dark")[1] if dark else style.split("@media")[0]))

    def light(colour: str) -> float:
        parts = (int(known[colour][k : k + 2], 16) / 255 for k in (1, 3, 5))
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for letters in ("text", "dim", "link", "bad", "good"):
        for back in ("back", "soft"):
            low, high = sorted((light(letters), light(back)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (letters, back)


def test_what_to_do_next_names_what_each_program_takes() -> None:
    def steps(*outputs: str, word: str = "_kept") -> list[str]:
        return _to_programs(Origin(outputs=outputs), word, "particles")

    assert steps("duplicates.csv", "particles_kept.star", "particles_rejected.star") == [
        "RELION: give particles_kept.star to the next job as its input particles."
    ]
    both = steps("a_kept.cs", "a_kept.csg", "a_kept_passthrough.cs", "a_kept.star", "b_kept.star")
    assert both == [
        "RELION: give a_kept.star and b_kept.star to the next job as its input particles.",
        "CryoSPARC: import a_kept.csg with the job Import Result Group.",
    ]
    assert steps("CBOX_kept/m.cbox", "autopick_kept.star", "autopick_kept/m.star", "t_kept.txt") == [
        "RELION: give autopick_kept.star to the next job as its input particles.",
        "Give CBOX_kept/ and t_kept.txt to the next job.",
    ]
    assert steps("optimisation_set.star", "particles_kept.star") == [
        "RELION: give optimisation_set.star to the next job as its input optimisation set."
    ]
    assert steps("p_repaired.cs", "p_repaired.csg", word="_repaired") == [
        "CryoSPARC: import p_repaired.csg with the job Import Result Group."
    ]


def test_particles_of_an_opened_micrograph_are_where_they_are(demo: Path) -> None:
    result = deduplicate_particles([demo / "session" / "relion.star", demo / "session" / "cryosparc.cs"], min_separation_a=40)
    numbers = np.arange(result.n_micrographs)
    names = names_of_micrographs(result, numbers.tolist())
    found = drawings(result, numbers.tolist(), [names[k] for k in numbers.tolist()], 4_000_000)
    assert found is not None
    assert (found["unit"], len(found["frame_of"])) == ("Å", 12)
    places, sources = (np.frombuffer(base64.b64decode(found[key]), np.uint8) for key in ("places", "sources"))
    first, second, third = places.reshape(-1, 3).astype(int).T
    shares = np.stack([first << 4 | second >> 4, (second & 15) << 8 | third], axis=1) / 4095
    at = 0
    for number in numbers.tolist():
        rows = np.flatnonzero(result.micrograph_of == number)
        rows = np.concatenate([rows[result.kept[rows]], rows[~result.kept[rows]]])
        left, right, bottom, top = found["frames"][found["frame_of"][number]]
        drawn = (left, bottom) + shares[at : at + len(rows)] * (right - left, top - bottom)
        assert np.abs(drawn - result.coordinates_a[rows]).max() <= 0.51 * max(right - left, top - bottom) / 4095
        assert np.array_equal(sources[at : at + len(rows)], rows >= result.sources[1].start)
        at += len(rows)
    assert at == len(result.kept)
    assert drawings(result, numbers.tolist(), [], 0) is not None


def test_a_table_of_micrographs_without_pixel_sizes_opens_in_pixels(tmp_path: Path) -> None:
    rows = [(1, 1, "m", "1@s"), (1, 1, "m", "1@s"), (2000, 900, "m", "2@s")]
    path = star(tmp_path / "p.star", rows, "CoordinateX CoordinateY MicrographName ImageName")
    result = deduplicate_particles(path, undo_symmetry_expansion=True)
    found = drawings(result, [0], ["m"], 10_000)
    assert found is not None
    assert found["unit"] == "px"
    assert found["frames"] == [[0.0, 2060.0, 0.0, 960.0]]
    assert "The rows do not open" not in particle_page(result).html


def test_a_table_of_micrographs_of_which_some_have_no_pixel_size_says_why_no_row_opens(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName ImageName"
    without = star(tmp_path / "a.star", [(1, 1, "a", "1@s"), (2000, 900, "a", "2@s")], columns)
    known = star(tmp_path / "b.star", [(1, 1, "b", "1@t", 1.5), (1, 1, "b", "1@t", 1.5)], f"{columns} MicrographPixelSize")
    html = particle_page(deduplicate_particles([without, known], undo_symmetry_expansion=True)).html
    assert "The rows do not open: the pixel size is known for some micrographs only" in html
    assert '"drawings"' not in html


def _headings(result: ParticleResult | MicrographResult, tmp_path: Path) -> list[str]:
    result.write(tmp_path, overwrite=True)
    return re.findall(r"<h[123][^>]*>([^<]*)</h[123]>", (tmp_path / "report.html").read_text("utf-8"))


def test_no_heading_says_what_is_not_there(demo: Path, tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName"
    apart = [(500 * x, 500 * y, f"m{k}") for k in range(3) for x in range(5) for y in range(5)]
    path = star(tmp_path / "p.star", apart, columns)
    always = ["Search for duplicate particles", "What to do next", "What was used"]
    ends = ["Table of micrographs", "Parameters", "For a methods section"]
    nothing = _headings(deduplicate_particles(path, pixel_size_a=1.0), tmp_path / "1")
    assert nothing == [*always, "The minimum separation", *ends]
    twice = star(tmp_path / "twice.star", [(10, 10, "m"), (11, 10, "m")], columns)
    everything = _headings(deduplicate_particles(twice, pixel_size_a=1.0, remove_entirely=True), tmp_path / "2")
    assert everything == [*always, "Examples", "The minimum separation", "Micrographs without a kept particle", *ends]
    tomograms = star(tmp_path / "t.star", [(x, 1, 1, "t") for x in (1, 2, 500)], "CoordinateX CoordinateY CoordinateZ TomoName")
    assert "Table of tomograms" in _headings(deduplicate_particles(tomograms, pixel_size_a=1.0), tmp_path / "3")

    images = sorted((demo / "session" / "Micrographs").iterdir())
    none = _headings(find_duplicate_micrographs(images[:12], bin=BIN), tmp_path / "4")
    assert none == ["Search for duplicate micrographs", "What to do next", "What was used", "Significance", *ends]
    one = find_duplicate_micrographs(demo / "session" / "micrographs.star", bin=BIN)
    assert "Least significant pairs first" in _headings(one, tmp_path / "5")
    withheld = dataclasses.replace(one, withheld="too many")
    assert "would be removed" in dict(used_lines(withheld))


def test_kept_above_all_is_explained_where_it_is(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName"
    apart = [(400 * x, 400 * y, "m") for x in range(8) for y in range(8)]
    for rows, explained in ((apart, False), ([*apart, *((x + 2, y, m) for x, y, m in apart)], True)):
        result = deduplicate_particles(star(tmp_path / "p.star", rows, columns), pixel_size_a=1.0)
        result.write(tmp_path / "out", overwrite=True)
        said = "“kept” can lie above “all”: when the duplicates of a particle are removed" in Page(tmp_path / "out" / "report.html").text
        assert said == explained

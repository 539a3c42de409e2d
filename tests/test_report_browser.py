"""The pages in a browser, where Chromium is installed."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import axe_core_python
import pytest

from cases import star
from cryodedup import deduplicate_particles
from cryodedup.demo.micrographs import HEIGHT, WIDTH
from page_reader import BROWSER, in_browser, said

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: pages are not looked at in a browser")


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
      const table = document.querySelector("[aria-label=Duplicates] table.sortable");
      table.tHead.rows[0].cells[3].firstChild.click();
      const down = [...table.tBodies[0].rows].map((row) => Number(row.cells[3].dataset.value));
      table.tHead.rows[0].cells[3].firstChild.click();
      const up = [...table.tBodies[0].rows].map((row) => Number(row.cells[3].dataset.value));
      const stages = [...document.querySelectorAll(".stage.filtered")];
      stages[0].click();
      const seen = new Set();
      setInterval(() => stages.slice(0, 2).forEach((stage, k) => seen.add(k + " " + stage.className)), 100);
      say("down", down); say("up", up);
      setTimeout(() => { say("one", [...seen].sort()); document.dispatchEvent(new KeyboardEvent("keydown", { key: "b" })); }, 1500);
      setTimeout(() => say("all", [...seen].sort()), 3500);
    """
    dom, complaints = in_browser(demo / "unique" / "report.html", tmp_path, script)
    assert complaints == ""

    assert said(dom, "down") == sorted(said(dom, "up"), reverse=True)
    assert said(dom, "up") == sorted(said(dom, "up"))
    assert len(said(dom, "up")) == 9
    assert {"0 stage filtered first", "0 stage filtered alone"} <= set(said(dom, "one"))
    assert not {"1 stage filtered first", "1 stage filtered alone"} & set(said(dom, "one"))
    assert {"1 stage filtered first", "1 stage filtered alone"} <= set(said(dom, "all"))


@needs_browser
def test_what_both_show_stands_side_by_side(demo: Path, tmp_path: Path) -> None:
    dom, _ = in_browser(demo / "unique" / "report.html", tmp_path)
    rows = {
        (row["Original"], row["Duplicate"]): row for row in csv.DictReader((demo / "unique" / "duplicates.csv").read_text().splitlines())
    }
    seen = 0
    for names, sides in re.findall(
        r'<button[^>]* class="stage filtered".*?((?:<img [^>]*>\s*){2}).*?<button[^>]* class="sides"[^>]*>(.*?)</button>', dom, re.DOTALL
    ):
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


LETTERS = """
  const found = [];
  for (const chart of document.querySelectorAll("svg.chart")) {
    const edge = chart.getBoundingClientRect();
    const boxes = [...chart.querySelectorAll("text:not(g[data-spot] .small)")].filter((one) => one.textContent && one.getClientRects().length && one.getBoundingClientRect().width).map((one) => [one, one.getBoundingClientRect()]);
    for (const [one, box] of boxes) {
      if (box.left < edge.left - 1 || box.right > edge.right + 1 || box.top < edge.top - 2 || box.bottom > edge.bottom + 2)
        found.push("cut: " + one.textContent);
    }
    const level = boxes.filter(([one]) => !one.hasAttribute("transform"));
    level.forEach(([one, a], k) => level.slice(k + 1).forEach(([other, b]) => {
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3)
        found.push("overlap: " + one.textContent + " | " + other.textContent);
    }));
  }
  say("letters", found);
  say("size", Math.min(...[...document.querySelectorAll("svg.chart .letters")].map((one) => one.getBoundingClientRect().height).filter(Boolean)));
  say("wide", document.documentElement.scrollWidth - document.documentElement.clientWidth);
  say("colour", getComputedStyle(document.querySelector("svg.chart .letters:not(.strong)")).fill);
"""


@needs_browser
@pytest.mark.parametrize(("name", "width", "dark"), [("particles", 500, True), ("unique", 500, True), ("refined", 1200, False)])
def test_letters_in_figures_are_whole_and_apart(name: str, width: int, dark: bool, demo: Path, tmp_path: Path) -> None:
    dom, complaints = in_browser(demo / name / "report.html", tmp_path, LETTERS, width=width, dark=dark)
    assert complaints == ""
    assert said(dom, "letters") == []
    assert said(dom, "wide") == 0
    assert said(dom, "size") > 10
    assert said(dom, "colour") == ("rgb(162, 171, 182)" if dark else "rgb(89, 99, 110)")


@needs_browser
@pytest.mark.parametrize(("name", "dark"), [("particles", False), ("unique", True), ("unique", False), ("refined", True)])
def test_everybody_can_use_a_page(name: str, dark: bool, demo: Path, tmp_path: Path) -> None:
    """axe-core finds nothing: contrast, names of controls, order of headings, what a keyboard reaches."""
    axe = Path(axe_core_python.__file__).with_name("axe.min.js").read_text("utf-8")
    run = """
      document.querySelectorAll("details").forEach((one) => { one.open = true; });
      axe.run().then((found) => {
        say("broken", found.violations.map((one) => [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200)]));
        say("checked", found.passes.length);
      });
    """
    dom, _ = in_browser(demo / name / "report.html", tmp_path, axe + run, dark=dark)
    assert said(dom, "broken") == []
    assert said(dom, "checked") > 15


@needs_browser
def test_places_are_turned_to_one_by_one(demo: Path, tmp_path: Path) -> None:
    script = """
      const figure = document.querySelector("figure.spots");
      const [back, on] = figure.querySelectorAll(".turn button");
      const seen = () => [
        [...figure.querySelectorAll("p.spot")].filter((one) => !one.hidden).map((one) => one.textContent.slice(0, 13).trim()),
        [...figure.querySelectorAll("g[data-spot]")].filter((one) => one.getAttribute("display") !== "none").map((one) => one.dataset.spot),
      ];
      const states = [seen()];
      on.click(); states.push(seen());
      back.click(); back.click(); states.push(seen());
      say("states", states);
    """
    dom, complaints = in_browser(demo / "refined" / "report.html", tmp_path, script)
    assert complaints == ""
    assert said(dom, "states") == [
        [["Place 1 of 24"], ["0", "0"]],
        [["Place 2 of 24"], ["1", "1"]],
        [["Place 24 of 2"], ["23", "23"]],
    ]


@needs_browser
def test_the_slider_says_what_another_separation_keeps(demo: Path, tmp_path: Path) -> None:
    script = """
      const input = document.querySelector(".slider input");
      const state = () => [document.querySelector(".slider output").textContent, document.querySelectorAll("line.stroke-fourth").length];
      const before = state();
      input.value = 0;
      input.dispatchEvent(new Event("input"));
      say("slider", [before, state()]);
    """
    dom, _ = in_browser(demo / "refined" / "report.html", tmp_path, script)
    (before, lines), (after, _) = said(dom, "slider")
    assert (before, lines) == ("40 Å keeps 6,553 particles (79.8 %)", 2)
    table = dom[dom.index('aria-label="Particles kept at each separation"') :]
    rows = re.findall(r'data-value="([\d.]+)">[^<]*</td><td class="number" data-value="(\d+)"', table)
    assert after.startswith(f"{float(rows[0][0]):g} Å keeps {int(rows[0][1]):,} particles (")


@needs_browser
def test_numbers_are_shown_under_the_mouse(demo: Path, tmp_path: Path) -> None:
    script = """
      const texts = [...document.querySelectorAll("svg[data-readings]")].map((frame) => {
        const cover = frame.lastElementChild.matches("rect") ? frame.lastElementChild : frame.querySelector("rect[fill=transparent]");
        const box = cover.getBoundingClientRect();
        const seen = [];
        for (let across = 0.01; across < 1; across += 0.01) for (let down = 0.02; down < 1; down += 0.04) {
          cover.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + across * box.width, clientY: box.top + down * box.height }));
          if (!document.querySelector(".tip").hidden) seen.push(document.querySelector(".tip").textContent);
        }
        return seen;
      });
      say("texts", texts.map((seen) => [seen.length, seen[0] ?? "", seen.at(-1) ?? ""]));
    """
    dom, complaints = in_browser(demo / "unique" / "report.html", tmp_path, script)
    assert complaints == ""
    significance, shifts, hits = said(dom, "texts")
    assert re.fullmatch(r"(found|mirrored pairs|chance): [\d.,]+ at [\d.]+(\n.*)*", significance[1])
    assert all(re.match(r"FoilHole_\S+\.mrc = FoilHole_\S+\.mrc\n-?[\d.,]+, -?[\d.,]+", text) for text in (shifts[1], hits[1]))


@needs_browser
def test_all_micrographs_are_searched_sorted_and_saved(demo: Path, tmp_path: Path) -> None:
    script = """
      const place = document.querySelector(".long");
      const shown = () => [...place.querySelectorAll("tbody tr:not([aria-hidden])")].map((row) => [...row.cells].map((cell) => cell.textContent));
      let saved;
      URL.createObjectURL = (blob) => { blob.text().then((text) => say("csv", text)); return "#"; };
      const first = shown();
      const heads = place.querySelectorAll("thead button");
      heads[0].click();
      const down = shown();
      const input = place.querySelector("input");
      input.value = "hole_1008";
      input.dispatchEvent(new Event("input"));
      say("table", [first, down, shown(), place.querySelector("[role=status]").textContent]);
      place.querySelector("p.tools button").click();
    """
    dom, complaints = in_browser(demo / "unique" / "report.html", tmp_path, script)
    assert complaints == ""
    first, down, found, status = said(dom, "table")
    with (demo / "unique" / "duplicates.csv").open() as listing:
        removed = {row["Duplicate"] for row in csv.DictReader(listing)}
    assert {row[0] for row in first if row[1] == "removed, duplicate"} == removed
    assert [row[0] for row in down] == sorted((row[0] for row in down), reverse=True)
    assert len(found) == 3
    assert all("Hole_1008" in row[0] for row in found)
    assert status == "3 of 45 rows"
    lines = list(csv.reader(said(dom, "csv").splitlines()))
    assert lines == [["micrograph", "result", "set", "taken"], *found]


@needs_browser
def test_raw_pictures_on_demand(demo: Path, tmp_path: Path) -> None:
    script = """
      const seen = () => ["filtered", "raw"].map((kind) => document.querySelector(`.stage.${kind}`).getClientRects().length);
      const before = seen();
      document.dispatchEvent(new KeyboardEvent("keydown", { key: "r" }));
      const after = seen();
      document.getElementById("raw").click();
      say("seen", [before, after, seen(), document.getElementById("raw").getAttribute("aria-pressed")]);
    """
    dom, complaints = in_browser(demo / "unique" / "report.html", tmp_path, script)
    assert complaints == ""
    assert said(dom, "seen") == [[1, 0], [0, 1], [1, 0], "false"]


@needs_browser
def test_fifty_thousand_rows_are_a_few_elements(tmp_path: Path) -> None:
    names = [f"Micrographs/FoilHole_{k // 5}_Data_{k % 5}_20260115_{k:06d}.mrc" for k in range(50_000)]
    rows = [(x, 10, name) for name in names for x in (1, 500)]
    path = star(tmp_path / "p.star", rows, "CoordinateX CoordinateY MicrographName")
    deduplicate_particles(path, pixel_size_a=1.0).write(tmp_path / "out")
    page = tmp_path / "out" / "report.html"
    assert page.stat().st_size < 5_000_000
    script = """
      const place = document.querySelector(".long");
      const port = place.querySelector(".window");
      const elements = [document.querySelectorAll("*").length];
      port.scrollTop = port.scrollHeight;
      port.dispatchEvent(new Event("scroll"));
      elements.push(document.querySelectorAll("*").length);
      const last = [...place.querySelectorAll("tbody tr:not([aria-hidden])")].at(-1).cells[0].textContent;
      say("long", [elements, last, place.querySelector("[role=status]").textContent]);
    """
    dom, complaints = in_browser(page, tmp_path, script)
    assert complaints == ""
    elements, last, status = said(dom, "long")
    assert max(elements) < 1500
    assert (last, status) == (names[-1], "50,000 rows")


@needs_browser
def test_odd_names_in_the_long_table_are_whole_and_no_formulas(tmp_path: Path) -> None:
    names = ["\U0001f600\U0001f600_001.mrc", "\U0001f600\U0001f600_002.mrc", "=cmd()!A1.mrc", "-1+1.mrc", "a,b.mrc", "plain.mrc"]
    path = star(tmp_path / "p.star", [(x, 10, name) for name in names for x in (1, 500)], "CoordinateX CoordinateY MicrographName")
    deduplicate_particles(path, pixel_size_a=1.0).write(tmp_path / "out")
    script = """
      const place = document.querySelector(".long");
      URL.createObjectURL = (blob) => { blob.text().then((text) => say("csv", text)); return "#"; };
      say("names", [...place.querySelectorAll("tbody tr:not([aria-hidden])")].map((row) => row.cells[0].textContent));
      place.querySelector("p.tools button").click();
    """
    dom, _ = in_browser(tmp_path / "out" / "report.html", tmp_path, script)
    assert said(dom, "names") == names
    cells = [row[0] for row in csv.reader(said(dom, "csv").splitlines())][1:]
    assert [cell.removeprefix("'") for cell in cells] == names
    assert not [cell for cell in cells if cell[0] in "=+-@"]


@needs_browser
def test_on_paper_the_table_has_its_rows_and_no_gap(demo: Path, tmp_path: Path) -> None:
    script = """
      const rows = () => [...document.querySelectorAll(".long tbody tr")].map((row) => row.hasAttribute("aria-hidden"));
      dispatchEvent(new Event("beforeprint"));
      say("paper", rows());
      dispatchEvent(new Event("afterprint"));
      say("after", [rows().filter(Boolean).length, document.querySelectorAll("details[open]").length]);
    """
    dom, _ = in_browser(demo / "unique" / "report.html", tmp_path, script)
    assert said(dom, "paper") == [False] * 45
    assert said(dom, "after") == [2, 0]


@needs_browser
def test_numbers_are_shown_by_keyboard(demo: Path, tmp_path: Path) -> None:
    script = """
      const seen = [...document.querySelectorAll("svg.chart[tabindex]")].map((chart) => {
        const texts = [];
        for (let k = 0; k < 30; k += 1) {
          chart.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
          const tip = document.querySelector(".tip");
          texts.push(tip.hidden ? "" : tip.textContent.split("\\n")[0]);
        }
        chart.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
        return [new Set(texts).size, texts.at(-1), document.querySelector(".tip").hidden];
      });
      say("seen", seen);
    """
    dom, complaints = in_browser(demo / "unique" / "report.html", tmp_path, script)
    assert complaints == ""
    significance, shifts, hits = said(dom, "seen")
    assert significance[0] >= 8
    assert shifts[0] == hits[0] == 9
    assert "FoilHole" in hits[1]
    assert significance[2]


@needs_browser
@pytest.mark.parametrize(("width", "enlarged"), [(1200, 500), (420, 340)])
def test_the_overlap_of_a_pair_can_be_enlarged(width: int, enlarged: int, demo: Path, tmp_path: Path) -> None:
    script = """
      const of = document.querySelector(".stage.filtered + .sides");
      const crop = () => [...of.children].map((one) => Math.round(one.getBoundingClientRect().width));
      const detail = [...of.querySelectorAll("img")].map((one) => one.naturalWidth);
      const before = crop();
      of.click(); const large = crop();
      of.click();
      say("crops", [detail, before, large, crop()]);
    """
    dom, complaints = in_browser(demo / "unique" / "report.html", tmp_path, script, width=width)
    assert complaints == ""
    detail, before, large, after = said(dom, "crops")
    assert min(detail) >= 320
    assert min(before) > (width > 500) * 50 + 150
    assert min(large) > enlarged
    assert after == before


@needs_browser
@pytest.mark.parametrize("colours", [("#111111", "rgb(221, 221, 221)"), ("#ffffff", "rgb(34, 34, 34)")])
def test_charts_in_a_notebook_have_its_colours(colours: tuple[str, str], demo: Path, tmp_path: Path) -> None:
    """Whatever the system prefers: a theme is chosen in the notebook."""
    back, letters = colours
    html = deduplicate_particles(demo / "session" / "relion.star", min_separation_a=40)._repr_html_()
    (tmp_path / "notebook.html").write_text(
        f'<body style="background: {back}; color: {letters}">{html}<p class="line">Mine</p></body>', "utf-8"
    )
    script = """
      const of = (selector, what) => [...document.querySelectorAll(selector)].map((one) => getComputedStyle(one)[what]);
      say("letters", [...new Set(of("svg .letters", "fill"))]);
      say("backs", [...new Set(of("svg, svg rect", "backgroundColor"))]);
      say("mine", of("p.line", "strokeWidth"));
    """
    dom, complaints = in_browser(tmp_path / "notebook.html", tmp_path, script, dark=back == "#ffffff")
    assert complaints == ""
    assert said(dom, "letters") == [letters]
    assert said(dom, "backs") == ["rgba(0, 0, 0, 0)"]
    assert said(dom, "mine") == ["1px"]


@needs_browser
@pytest.mark.parametrize("name", ["particles", "refined"])
def test_any_micrograph_opens_from_the_table(name: str, demo: Path, tmp_path: Path) -> None:
    script = """
      const place = document.querySelector(".long");
      const opened = [...place.querySelectorAll("button.open")].map((button) => {
        button.click();
        const panel = place.querySelector(".opened");
        const paths = [...panel.querySelectorAll("path.line")].map((path) => path.getAttribute("d"));
        const circles = paths.filter((d) => d.includes("a")).join("").split("a").length - 1;
        const crosses = paths.filter((d) => d.includes("l")).join("").split("l").length - 1;
        const row = [...button.closest("tr").cells].map((cell) => cell.textContent.replaceAll(",", ""));
        return [row, panel.querySelector("h3").firstChild.textContent, circles / 2, crosses / 2, panel.querySelectorAll("image").length];
      });
      say("opened", opened);
      place.querySelector(".opened button").click();
      say("closed", place.querySelector(".opened").hidden);
    """
    dom, complaints = in_browser(demo / name / "report.html", tmp_path, script)
    assert complaints == ""
    opened = said(dom, "opened")
    assert len(opened) >= 12
    for (micrograph, _, kept, rejected, _), shown, circles, crosses, images in opened:
        assert (shown, circles, crosses) == (micrograph, int(kept), int(rejected))
        assert images <= (name == "refined")
    assert sum(images for *_, images in opened) == (30 if name == "refined" else 0)
    assert said(dom, "closed") is True


@needs_browser
@pytest.mark.parametrize("width", [420, 1200])
def test_long_names_keep_their_ends(width: int, tmp_path: Path) -> None:
    names = [f"MotionCorr/job002/Movies/{'a_long_name_of_a_session_' * 6}{k:04d}.mrc" for k in range(3)]
    path = star(tmp_path / "p.star", [(x, 10, name) for name in names for x in (1, 500)], "CoordinateX CoordinateY MicrographName")
    deduplicate_particles(path, pixel_size_a=1.0).write(tmp_path / "out")
    script = """
      const ends = [...document.querySelectorAll(".long .open")].map((button) => {
        const letters = document.createRange();
        const name = button.firstChild.firstChild;
        const box = button.getBoundingClientRect();
        const seen = (from, to) => {
          letters.setStart(name, from); letters.setEnd(name, to);
          const at = letters.getBoundingClientRect();
          return at.left >= box.left - 1 && at.right <= box.right + 1;
        };
        return [seen(0, 5), seen(name.length - 8, name.length), name.textContent];
      });
      say("ends", ends);
    """
    dom, _ = in_browser(tmp_path / "out" / "report.html", tmp_path, script, width=width)
    assert said(dom, "ends") == [[False, True, name] for name in names]


@needs_browser
def test_what_a_page_has_no_room_for_is_said(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = deduplicate_particles(demo / "session" / "relion.star", min_separation_a=40)
    monkeypatch.setattr("cryodedup.report.particle_page.room", lambda *_: 10_000)
    result.write(tmp_path / "out")
    script = """
      const texts = [...document.querySelectorAll("button.open")].map((button) => {
        button.click();
        return document.querySelector(".opened").textContent;
      });
      say("note", document.querySelector("#all + p").textContent);
      say("texts", texts);
    """
    dom, complaints = in_browser(tmp_path / "out" / "report.html", tmp_path, script)
    assert complaints == ""
    found = re.search(r"This works for the first (\d+); with more, the page would be too large\.", said(dom, "note"))
    assert found is not None
    opened = int(found[1])
    texts = said(dom, "texts")
    assert 0 < opened < len(texts) == 12
    assert all("The frame is" in text for text in texts[:opened])
    assert all(
        "not in this page, which would become too large. Draw them in Python: result.plot_micrograph(" in text for text in texts[opened:]
    )

"""The pages in a browser, where Chromium is installed."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from cryodedup.demo.micrographs import HEIGHT, WIDTH
from page_reader import BROWSER, in_browser

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


LETTERS = """
  const found = [];
  for (const chart of document.querySelectorAll("svg.chart")) {
    const edge = chart.getBoundingClientRect();
    const boxes = [...chart.querySelectorAll("text")].filter((one) => one.textContent).map((one) => [one, one.getBoundingClientRect()]);
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
  const tell = (name, value) => document.body.setAttribute("data-" + name, JSON.stringify(value));
  tell("letters", found);
  tell("size", Math.min(...[...document.querySelectorAll("svg.chart .letters")].map((one) => one.getBoundingClientRect().height)));
  tell("wide", document.documentElement.scrollWidth - document.documentElement.clientWidth);
  tell("colour", getComputedStyle(document.querySelector("svg.chart text")).fill);
"""


def told(dom: str, name: str) -> object:
    found = re.search(f'data-{name}="([^"]*)"', dom)
    assert found
    return json.loads(found[1].replace("&quot;", '"'))


@needs_browser
@pytest.mark.parametrize(("name", "width", "dark"), [("particles", 500, True), ("unique", 500, True), ("refined", 1200, False)])
def test_letters_in_figures_are_whole_and_apart(name: str, width: int, dark: bool, demo: Path, tmp_path: Path) -> None:
    dom, complaints = in_browser(demo / name / "report.html", tmp_path, LETTERS, width=width, dark=dark)
    assert complaints == ""
    assert told(dom, "letters") == []
    assert told(dom, "wide") == 0
    assert float(str(told(dom, "size"))) > 10
    assert told(dom, "colour") == ("rgb(162, 171, 182)" if dark else "rgb(89, 99, 110)")

"""Figures: what is drawn is what the data say, every letter is escaped, and SVG is SVG."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import FrozenInstanceError, fields
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cases import star
from cryodedup import MicrographParams, MicrographResult, ParticleParams, ParticleResult, deduplicate_particles, find_duplicate_micrographs
from cryodedup.demo.micrographs import BIN
from cryodedup.particles.analysis.advice import advise_on_sample
from cryodedup.report.axes import Axis, Frame, linear_ticks, log_ticks, tick_texts, ticks_across
from cryodedup.report.figure import Figure, file_style, shortened
from cryodedup.report.figures import distances, example_panels, found_by, hits, kept, pickers, scores, shifts, significance
from cryodedup.report.figures.examples import MAX_SPOTS, Example, examples, spots
from cryodedup.report.figures.examples import Image as ExampleImage
from cryodedup.report.layers import MAX_CIRCLES, MAX_POINTS, Circles, Line, Points, Steps
from cryodedup.report.raster import cells_png, dots_png, shade
from cryodedup.report.svg import element, escaped, number, short, text, text_width

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
HOSTILE = [
    "</svg><script>alert(1)</script>",
    "\"' onload='alert(1)",
    "a\x00b\x1b[31m\u202e\ufffe",
    "latin\udce4.mrc",
    "&amp; ]]> <!-- 試料",
]


@pytest.fixture(scope="module")
def particles(demo: Path) -> ParticleResult:
    paths = [demo / "session" / name for name in ("relion.star", "topaz.star", "cryosparc.cs")]
    return deduplicate_particles(paths, ParticleParams(min_separation_a=40))


@pytest.fixture(scope="module")
def micrographs(demo: Path) -> MicrographResult:
    return find_duplicate_micrographs(demo / "session" / "micrographs.star", MicrographParams(bin=BIN))


def parsed(figure: Figure) -> ElementTree.Element:
    """Its file, as an XML parser reads it."""
    return ElementTree.fromstring(figure.file(file_style()))


def of_class(root: ElementTree.Element, tag: str, *names: str) -> list[ElementTree.Element]:
    return [one for one in root.iter(f"{SVG}{tag}") if set(names) <= set(one.get("class", "").split())]


def words(root: ElementTree.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text")]


def frame(x: Axis, y: Axis) -> Frame:
    return Frame(x, y, 0.0, 0.0, 400.0, 200.0)


def test_histograms_have_the_heights_of_their_counts(particles: ParticleResult) -> None:
    advice = particles.advice()
    assert advice is not None
    data = distances.distances(advice, 40.0, "kept")
    root = parsed(distances.draw(data))
    (area,) = of_class(root, "path", "area")
    (inner,) = root.iter(f"{SVG}svg") if root.tag != f"{SVG}svg" else [one for one in root.iter(f"{SVG}svg") if one is not root]
    height = float(inner.get("height", ""))
    tops = [float(value) for value in re.findall(r"V([-\d.]+)H", area.get("d", ""))]
    assert len(tops) == len(data.before)
    top = max(10.0, 1.5 * max(data.before.max(), data.after.max()))
    shares = 1 - np.array(tops) / height
    counts = 0.8 * (top / 0.8) ** shares
    some = data.before > 0
    assert counts[some] == pytest.approx(data.before[some], rel=5e-3)
    assert (shares[~some] <= 0).all()
    assert {"distance to the nearest neighbour (Å)", "particles", "all", "kept", "used: 40 Å"} <= set(words(root))


def test_the_curve_goes_through_its_points(particles: ParticleResult) -> None:
    advice = particles.advice()
    assert advice is not None
    data = kept.kept(advice, 40.0, len(particles.kept))
    root = parsed(kept.draw(data))
    (line,) = (one for one in of_class(root, "path", "line", "stroke-first") if "L" in one.get("d", ""))
    points = np.array([[float(value) for value in pair.split()] for pair in line.get("d", "")[1:].split("L")])
    assert len(points) == len(data.kept)
    inner = next(one for one in root.iter(f"{SVG}svg") if one is not root)
    height = float(inner.get("height", ""))
    assert 104 * (1 - points[:, 1] / height) == pytest.approx(data.percent, abs=0.06)
    assert data.percent == pytest.approx(100 * data.kept / len(particles.kept))
    at = int(np.searchsorted(data.separations_a, 40.0))
    assert data.kept[at] == particles.kept.sum()


def test_bars_and_dots_are_the_combinations_of_inputs(particles: ParticleResult) -> None:
    data = found_by.found_by(particles)
    assert data is not None
    sets = particles.analysis.found_by
    assert sets is not None
    assert dict(zip(data.combinations, data.sets, strict=True)) == sets
    root = parsed(found_by.draw(data))
    bars = of_class(root, "rect", "bar")
    heights = np.array([float(bar.get("height", "")) for bar in bars])
    assert heights / heights.max() == pytest.approx(np.array(data.sets) / max(data.sets), abs=1e-3)
    assert len(of_class(root, "circle", "member")) == sum(map(len, data.combinations))
    assert {f"{count:,}" for count in data.sets} | set(data.names) <= set(words(root))


def test_the_matrix_shows_every_pair_of_inputs(particles: ParticleResult) -> None:
    data = pickers.pickers(particles)
    assert data is not None
    root = parsed(pickers.draw(data))
    assert len(of_class(root, "rect", "cell")) == len(data.names) ** 2
    assert [value for value in words(root) if value.isdigit()] == [f"{share:.0f}" for share in data.percent.ravel()]


def test_the_map_of_scores_has_a_cell_where_there_are_pairs(particles: ParticleResult) -> None:
    data = scores.score_pairs(particles)
    assert data is not None
    source_of = particles.joined.source_of
    assert data.counts.sum() == (source_of[particles.rejected] != source_of[particles.duplicate_of]).sum()
    (image,) = parsed(scores.draw(data)).iter(f"{SVG}image")
    cells = np.asarray(decoded(image.get(HREF, "")))[4::8, 4::8, 3]
    assert np.array_equal(cells[::-1].T > 0, data.counts > 0)


def decoded(address: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(address.partition("base64,")[2])))


def test_every_particle_of_an_example_has_its_mark(particles: ParticleResult) -> None:
    for example in examples(particles):
        whole = ElementTree.fromstring(example_panels.draw(example, ("kept", "rejected")).panels[1].inline())
        circles = sum(len(list(group.iter("circle"))) for group in whole.iter("g") if group.get("class", "").startswith("line stroke"))
        crosses = sum(one.get("d", "").count("M") for one in whole.iter("path") if "m0 " in one.get("d", ""))
        kept = int(example.kept.sum())
        assert (circles, crosses) == (kept, len(example.kept) - kept)
        title = f"○ {kept:,} kept, × {len(example.kept) - kept:,} rejected"
        assert {"x (Å)", "y (Å)", title} <= {one.text for one in whole.iter("text")}


def test_the_enlarged_places_show_each_duplicate_and_a_line_to_its_winner(particles: ParticleResult) -> None:
    for example in examples(particles):
        found = spots(example, "rejected")
        assert len(found) == MAX_SPOTS
        counts = [len(spot.duplicates) for spot in found]
        assert counts == sorted(counts, reverse=True)
        for spot in found:
            assert set(spot.duplicates.tolist()) == set(np.flatnonzero(example.duplicate_of == spot.winner).tolist())
            assert example.kept[spot.winner]
            left, right, bottom, top = spot.window_a
            x, y = example.centres_a[[spot.winner, *spot.duplicates]].T
            assert np.all((left < x) & (x < right) & (bottom < y) & (y < top))
            assert right - left == pytest.approx(top - bottom)
        drawn = example_panels.draw(example, ("kept", "rejected"))
        zoom = ElementTree.fromstring(drawn.panels[0].inline())
        groups = [group for group in zoom.iter("g") if group.get("data-spot")]
        assert [group.get("display") for group in groups] == [None] + ["none"] * (MAX_SPOTS - 1)
        assert len(drawn.spots) == MAX_SPOTS
        for group, spot in zip(groups, found, strict=True):
            (lines,) = (one for one in group.iter("path") if one.get("class") == "line stroke-mark")
            joined = spot.shown[example.duplicate_of[spot.shown] >= 0]
            assert lines.get("d", "").count("M") == len(joined) >= len(spot.duplicates)


def test_places_of_chains_of_lone_ones_and_of_depth() -> None:
    def example(centres: list[list[float]], duplicate_of: list[int], kept: list[bool], depths: list[float] | None = None) -> Example:
        return Example(
            word="worst", name="m.mrc", centres_a=np.array(centres), depths_a=None if depths is None else np.array(depths), picked_a=None,
            diameter_a=20.0, source_of=np.zeros(len(kept), np.int64), inputs=["a.star"], kept=np.array(kept),
            duplicate_of=np.array(duplicate_of), extent_a=(0.0, 1000.0, 0.0, 1000.0), image=ExampleImage(),
        )  # fmt: skip

    removed_entirely = example([[10, 10], [12, 10]], [1, 0], [False, False])
    (place,) = spots(removed_entirely, "rejected")
    assert (place.winner, place.duplicates.tolist()) == (0, [1])
    assert place.words == "Rejected: 1 particle, and 1 particle (2.0 Å away)."
    (alone,) = spots(example([[10, 10], [500, 10]], [-1, -1], [True, False]), "rejected")
    assert (alone.winner, len(alone.duplicates)) == (1, 0)
    assert "No kept particle of this micrograph is its duplicate" in alone.words
    (deep,) = spots(example([[10, 10], [12, 10], [14, 10]], [-1, 0, -1], [True, False, True], [0.0, 3.0, 400.0]), "rejected")
    assert deep.shown.tolist() == [0, 1]
    assert "3.6 Å away" in deep.words
    assert spots(example([[10, 10]], [-1], [True]), "rejected") == []


def test_pairs_of_micrographs_stand_where_they_were_taken(micrographs: MicrographResult) -> None:
    data = hits.hits(micrographs)
    assert data is not None
    place = {i: k + 1 for k, i in enumerate(micrographs.order)}
    assert {*zip(data.earlier.tolist(), data.later.tolist(), strict=True)} == {
        tuple(sorted((place[pair.first], place[pair.second]))) for pair in micrographs.pairs
    }
    (dots,) = of_class(parsed(hits.draw(data)), "path", "squares")
    assert dots.get("d", "").count("M") == len(micrographs.pairs) == 9
    moves = shifts.shifts(micrographs)
    assert moves is not None
    root = parsed(shifts.draw(moves))
    assert sum(one.get("d", "").count("M") for one in of_class(root, "path", "points")) == 9
    assert {"shift in x (px)", "shift in y (px)", "significance z"} <= set(words(root))


def test_significances_are_counted_from_the_highest(micrographs: MicrographResult) -> None:
    data = significance.significance(micrographs)
    assert data is not None
    (of,) = micrographs.compared
    for z, count in zip(data.found_z.tolist(), data.found.tolist(), strict=True):
        assert (of.observed > z).sum() < count <= (of.observed >= z).sum()
    assert (data.tested, data.accepted) == (of.tested, 9)
    assert data.min_z is not None
    assert of.tested * of.null.beyond(data.min_z) <= micrographs.params.fdr * 10
    assert "q ≤ 0.01" in words(parsed(significance.draw(data)))


def test_all_figures_are_svg_that_needs_nothing(demo: Path) -> None:
    files = sorted(demo.glob("*/figures/*"))
    assert len(files) >= 14
    known = set(re.findall(r"\.([\w-]+) \{", file_style()))
    for path in files:
        raw = re.sub(r"base64,[\w+/=]*", "", path.read_text("utf-8"))
        root = ElementTree.fromstring(raw)
        assert (path.suffix, root.tag, root.get("role")) == (".svg", f"{SVG}svg", "img")
        assert root.get("aria-label")
        assert root.findtext(f"{SVG}style") == file_style()
        assert all(float(value) > 0 for value in root.get("viewBox", "").split()[2:])
        assert not re.search(r"nan|inf\b|var\(|<script|href=\"(?!data:|#example_)", raw, re.IGNORECASE), path
        assert {one.get("id") for one in root.iter()} - {None} <= {f"{path.stem}-image"}
        used = {name for one in root.iter() for name in one.get("class", "").split()}
        assert used - known <= {"bar", "cell", "member"}, path


def test_data_of_figures_do_not_change(particles: ParticleResult) -> None:
    data = pickers.pickers(particles)
    for field in fields(data):  # type: ignore[arg-type]
        with pytest.raises(FrozenInstanceError):
            setattr(data, field.name, None)


@pytest.mark.parametrize("words_given", HOSTILE)
def test_words_are_never_markup(words_given: str) -> None:
    drawn = element("svg", text(1, 2, words_given), element("title", escaped(words_given)), aria_label=words_given)
    root = ElementTree.fromstring(drawn)
    assert [one.tag for one in root] == ["text", "title"]
    assert root[0].text == root[1].text == root.get("aria-label")
    assert all(char.isprintable() for char in root[0].text or "")
    assert set(root.attrib) == {"aria-label"}


def test_names_of_inputs_stay_distinct_when_they_are_shortened() -> None:
    names = [f"a_long_name_that_all_inputs_have_{k:02d}_and_something_behind.star" for k in range(12)]
    short_ones = shortened(names)
    assert len(set(short_ones)) == 12
    assert max(map(len, short_ones)) <= 28
    assert shortened(["topaz.star", "topas.star"]) == ["topaz.star", "topas.star"]
    assert shortened(["x" * 40]) == ["x" * 14 + "…" + "x" * 13]


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(2, 10))
def test_ticks_are_in_range_even_and_few(low: float, width: float, most: int) -> None:
    high = low + width
    if not high > low + 1e-9 * abs(low):
        return
    ticks = linear_ticks(low, high, most)
    slack = 1e-6 * (high - low)
    assert 1 <= len(ticks) <= most + 1 or (most < 3 and len(ticks) <= 4)
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    steps = np.diff(ticks)
    assert steps == pytest.approx(np.full(len(steps), steps.mean() if len(steps) else 0), rel=1e-4)


@given(st.floats(-6, 9), st.floats(0.05, 14), st.integers(2, 10))
def test_logarithmic_ticks_are_in_range_and_distinct(exponent: float, decades: float, most: int) -> None:
    low, high = 10.0**exponent, 10.0 ** (exponent + decades)
    ticks = log_ticks(low, high, most)
    assert all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in ticks)
    assert ticks == sorted(set(ticks))
    texts = tick_texts(ticks, log=True)
    assert len(set(texts)) == len(texts)


@given(st.floats(0, 1e7), st.floats(1e-3, 1e7), st.booleans())
def test_texts_of_ticks_do_not_run_into_each_other(low: float, width: float, log: bool) -> None:
    axis = Axis(label="", low=max(low, 1e-3) if log else low, high=low + width + 0.01, log=log)
    ticks, texts = ticks_across(axis, 300.0)
    ends = [(x - text_width(one) / 2, x + text_width(one) / 2) for x, one in zip(300 * axis.share(ticks), texts, strict=True)]
    assert all(first[1] < second[0] for first, second in pairwise(ends))


def test_more_points_than_a_path_holds_are_one_picture() -> None:
    x = Axis(label="x", low=0.0, high=1.0)
    values = np.random.default_rng(1).random((2, MAX_POINTS + 1))
    drawn = Points(x=values[0], y=values[1]).draw(frame(x, x))
    assert drawn.startswith("<image")
    assert Points(x=values[0][1:], y=values[1][1:]).draw(frame(x, x)).count("M") == MAX_POINTS
    circles = Circles(x=values[0][:MAX_CIRCLES], y=values[1][:MAX_CIRCLES], paint="first", radius=2.0).draw(frame(x, x))
    assert circles.count("<circle") == MAX_CIRCLES
    covered = np.asarray(decoded(dots_png(np.array([10.0, 399.9]), np.array([20.0, 0.0]), 400, 200, 2.0, "mark")))
    rows, columns = np.nonzero(covered[..., 3])
    assert covered.shape == (400, 800, 4)
    assert {*zip(rows.tolist(), columns.tolist(), strict=True)} >= {(40, 20), (0, 799)}
    assert len(rows) < 40
    assert covered[40, 20].tolist() == [0xD6, 0x33, 0x6C, 255]


def test_values_off_an_axis_draw_no_endless_lines() -> None:
    x = Axis(label="x", low=0.0, high=1.0)
    y = Axis(label="y", low=0.1, high=1.0, log=True)
    line = Line(x=np.array([0.0, 1e300]), y=np.array([0.0, 1e300]), paint="first").draw(frame(x, y))
    steps = Steps(edges=np.array([0.0, 1.0]), counts=np.array([0]), paint="first").draw(frame(x, y))
    assert all(abs(float(value)) <= 1000 for value in re.findall(r"-?\d+\.?\d*", re.sub(r'class="[^"]*"', "", line + steps)))
    assert not math.isnan(float(axis_share := y.share([0.0])[0])), axis_share


def test_numbers_are_short() -> None:
    assert [number(value) for value in (1.0, 0.126, -0.001, 12345678.0)] == ["1", "0.13", "0", "12345678"]
    assert short([1.04, -0.04, 123.45]) == ["1", "0", "123.4"]


def test_shades_begin_and_end_with_the_colour_map() -> None:
    assert shade([0.0, 1.0]).tolist() == [[0x35, 0x5F, 0x8D], [0x7A, 0xD1, 0x51]]
    picture = np.asarray(decoded(cells_png(np.array([[0.0, np.nan]]))))
    assert picture[0, 0].tolist() == [0x35, 0x5F, 0x8D, 255]
    assert picture[0, 8, 3] == 0


def test_advice_on_a_sample_is_about_that_on_all(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    once = rng.random((20_000, 2)) * 3000
    of = rng.integers(0, 400, len(once))
    both, name = np.concatenate([once, once + rng.normal(0, 4, once.shape)]), np.concatenate([of, of])
    rows = [(f"{x:.2f}", f"{y:.2f}", f"m{k}") for (x, y), k in zip(both.tolist(), name.tolist(), strict=True)]
    path = star(tmp_path / "p.star", rows, "CoordinateX CoordinateY MicrographName")
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0))
    every = result.advice()
    assert every is not None
    ranked = {"scores": result.selection.ranking.scores, "priority": result.selection.ranking.priority}
    found = {
        most: advise_on_sample(result.coordinates_a, result.micrograph_of, result.kept, result.analysis.suggestion, 20.0, most, **ranked)  # type: ignore[arg-type]
        for most in (5_000, 40_000)
    }
    some, same = found[5_000], found[40_000]
    assert some is not None
    assert same is not None
    assert (same.sampled, same.kept.tolist(), same.before.tolist()) == (0, every.kept.tolist(), every.before.tolist())
    assert 5_000 <= some.sampled < 6_000
    assert some.before.sum() == pytest.approx(len(both), rel=0.03)
    assert np.interp(20.0, some.separations_a, some.kept) == pytest.approx(result.kept.sum(), rel=0.03)

"""What a notebook shows of a result: text, HTML, DataFrames, plots; and parameters as keywords."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from cases import Ran, has_marks, records, same_results, star
from cryodedup import (
    InputError,
    MicrographParams,
    MicrographResult,
    ParticleParams,
    ParticleResult,
    _core,
    apply_choice,
    deduplicate,
    deduplicate_particles,
    find_duplicate_micrographs,
)
from cryodedup.demo.micrographs import BIN, make_micrographs
from cryodedup.demo.particles import make_session
from cryodedup.demo.refined import make_refined
from cryodedup.frozen import FrozenDict
from cryodedup.notebook import PAIR_BYTES
from cryodedup.params.keywords import MicrographKeywords, ParticleKeywords
from cryodedup.report.cards import card
from cryodedup.report.figures.examples import example_of, numbered


@pytest.fixture(scope="module")
def particles(tmp_path_factory: pytest.TempPathFactory) -> ParticleResult:
    return deduplicate_particles(make_session(tmp_path_factory.mktemp("session")).paths, min_separation_a=70)


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory: pytest.TempPathFactory) -> MicrographResult:
    return find_duplicate_micrographs(make_micrographs(tmp_path_factory.mktemp("micrographs")).star, bin=BIN)


def test_keywords_are_the_fields_of_the_parameters(particles: ParticleResult) -> None:
    assert particles.params.min_separation_a == 70
    paths = [source.picks.label for source in particles.sources]
    both = deduplicate_particles(paths, ParticleParams(min_separation_a=70, seed=3), priority="input")
    assert (both.params.min_separation_a, both.params.seed, both.params.priority) == (70, 3, "input")
    expansion = ParticleParams(undo_symmetry_expansion=True)  # sets the separation to 0
    again = deduplicate_particles(paths, expansion, undo_symmetry_expansion=False)
    assert again.params == ParticleParams()
    with pytest.raises(TypeError, match=r"^ParticleParams has no parameter 'min_separation'; did you mean 'min_separation_a'\?$"):
        deduplicate_particles(paths, min_separation=70)
    with pytest.raises(TypeError, match=r"^ParticleParams has no parameter 'nonsense'$"):
        deduplicate_particles(paths, nonsense=1)
    with pytest.raises(InputError, match=r"^bin: found 0"):
        find_duplicate_micrographs("nowhere", MicrographParams(fdr=0.1), bin=0)


def changeable(value: Any, path: str, seen: set[int]) -> Iterator[str]:
    """What of a result could be changed by a careless line, by the names that lead there."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        if value.flags.writeable:
            yield path
    elif isinstance(value, list | set | bytearray) or (isinstance(value, dict) and not isinstance(value, FrozenDict)):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from changeable(item, f"{path}[{key!r}]", seen)
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from changeable(item, f"{path}[{i}]", seen)
    elif is_dataclass(value) and not isinstance(value, type) and "output" not in path:  # writers of files keep their own books
        cached = [name for kind in type(value).__mro__ for name, one in vars(kind).items() if isinstance(one, cached_property)]
        for name in [*(one.name for one in fields(value)), *cached]:
            yield from changeable(getattr(value, name), f"{path}.{name}", seen)


def test_what_a_caller_gave_stays_as_it_was() -> None:
    picks = records([(100, 100), (104, 100), (900, 100)])
    before = picks.copy()
    found = deduplicate_particles(picks, undo_symmetry_expansion=True)
    assert picks.flags.writeable
    assert (picks == before).all()
    assert found.kept.all()
    again = deduplicate_particles(picks, found.params, undo_symmetry_expansion=False)
    assert (again.params, again.kept.tolist()) == (ParticleParams(), [True, False, True])


def test_a_result_cannot_be_changed(particles: ParticleResult, micrographs: MicrographResult, tmp_path: Path) -> None:
    particles.write(tmp_path / "out", report=False)
    applied = apply_choice(tmp_path / "out", particles.sources[0].picks.label)
    for result in (particles, micrographs, applied):
        assert [*changeable(result, type(result).__name__, set())] == []
    with pytest.raises(ValueError, match="read-only"):
        micrographs.kept[:] = True
    with pytest.raises(AttributeError):
        micrographs.pairs.clear()
    with pytest.raises(TypeError, match="a result cannot be changed"):
        micrographs.times_s["reading"] = 0


def test_results_pickle(particles: ParticleResult, micrographs: MicrographResult, tmp_path: Path) -> None:
    """As joblib sends them from one process to another: what they write is the same, and they stay frozen."""
    particles.write(tmp_path / "out", report=False)
    applied = apply_choice(tmp_path / "out", particles.sources[0].picks.label)
    in_memory = deduplicate_particles(records([(100, 100), (104, 100), (900, 100)]))
    for i, result in enumerate((particles, micrographs, applied, in_memory)):
        again = pickle.loads(pickle.dumps(result))
        assert type(again) is type(result)
        assert [*changeable(again, type(result).__name__, set())] == []
        for which, one in enumerate((result, again)):
            one.write(tmp_path / f"{i}_{which}")
        same_results(tmp_path / f"{i}_0", tmp_path / f"{i}_1")
    with pytest.raises(ValueError, match="not the state of an object of this version"):
        _core.Rows(b"nonsense")


def test_an_unpickled_result_refuses_a_changed_file(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(0, 0, "m"), (1, 0, "m")])
    pickled = pickle.dumps(deduplicate_particles(path, pixel_size_a=1.0))
    star(path, [(0, 0, "m"), (1, 0, "m"), (2, 0, "m")])
    with pytest.raises(InputError, match=r"p\.star: found that it was changed after it had been read"):
        pickle.loads(pickled).write(tmp_path / "out")


@pytest.mark.parametrize(("keywords", "params"), [(ParticleKeywords, ParticleParams), (MicrographKeywords, MicrographParams)])
def test_keywords_are_typed_as_the_parameters(keywords: Any, params: Any) -> None:
    assert {name: hint.__forward_arg__ for name, hint in keywords.__annotations__.items()} == {one.name: one.type for one in fields(params)}


@pytest.mark.parametrize("images_per_move", [4, 16])
def test_a_parameter_of_the_window_calls_for_the_window(images_per_move: int, micrographs: MicrographResult) -> None:
    paths = micrographs.exposures.paths[:30]
    found = find_duplicate_micrographs(paths, bin=BIN, images_per_move=images_per_move)
    assert (found.params.by_window, found.params.window) == (True, (images_per_move, 4, 48))
    with pytest.raises(InputError, match=rf'^images_per_move: found {images_per_move} with search="all", expected search="window"$'):
        find_duplicate_micrographs(paths, search="all", images_per_move=images_per_move)


def test_a_result_is_one_screen_of_text(particles: ParticleResult, micrographs: MicrographResult) -> None:
    for result, words in ((particles, "6,633 particles in 12 micrographs: 2,684 kept"), (micrographs, "45 micrographs: 36 kept")):
        text = repr(result)
        assert words in text
        assert len(text.splitlines()) <= 25


def test_names_act_neither_in_text_nor_in_html(tmp_path: Path) -> None:
    name = "<b>\x1b[31m.star"
    text = "data_\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\nm 1 1\nm 2 2\n"
    (tmp_path / name).write_text(text)
    result = deduplicate_particles(tmp_path / name, pixel_size_a=1.0)
    assert "\x1b" not in repr(result)
    assert "<b>" not in result._repr_html_()
    assert "\x1b" not in result._repr_html_()


def test_html_has_verdict_inputs_and_two_figures(particles: ParticleResult, micrographs: MicrographResult) -> None:
    for result, row in ((particles, "topaz.star"), (micrographs, "overlap 8")):
        html = result._repr_html_()
        assert len(re.findall('<svg [^>]*role="img"', html)) == 2
        rules = [rule for style in re.findall("<style>(.*?)</style>", html, re.DOTALL) for rule in style.strip().splitlines()]
        assert len(rules) > 20
        assert all(rule.startswith(".cryodedup ") for rule in rules)
        assert row in html
        assert len(html) < 200_000


def test_the_frame_of_rejected_particles_is_the_listing(particles: ParticleResult, tmp_path: Path) -> None:
    particles.write(tmp_path, report=False)
    listing, frame = pd.read_csv(tmp_path / "duplicates.csv"), particles.to_dataframe()
    assert list(frame) == list(listing)
    for name in listing:
        if pd.api.types.is_numeric_dtype(listing[name]):
            assert (frame[name].isna() == listing[name].isna()).all(), name
            assert np.allclose(frame[name].astype(float).fillna(0), listing[name].fillna(0), atol=6e-4, rtol=1e-6), name
        else:
            assert frame[name].tolist() == listing[name].tolist(), name


@pytest.mark.parametrize("options", [{"remove_entirely": True}, {"min_votes": 3}, {"min_votes": 2}])
def test_where_there_is_no_kept_particle_it_is_empty(particles: ParticleResult, tmp_path: Path, options: dict[str, object]) -> None:
    result = deduplicate_particles([source.picks.label for source in particles.sources], min_separation_a=70, **options)
    result.write(tmp_path, report=False)
    listing, frame = pd.read_csv(tmp_path / "duplicates.csv"), result.to_dataframe()
    for name in ("kept_source", "kept_row", "kept_uid", "distance_a"):
        assert frame[name].isna().tolist() == listing[name].isna().tolist(), name


def test_the_frame_of_pairs_is_the_listing(micrographs: MicrographResult, tmp_path: Path) -> None:
    micrographs.write(tmp_path, report=False)
    listing, frame = pd.read_csv(tmp_path / "duplicates.csv", dtype={"shot": str}), micrographs.to_dataframe()
    assert list(frame) == list(listing)
    assert frame["Duplicate"].tolist() == listing["Duplicate"].tolist()
    assert np.allclose(frame["z"], listing["z"], atol=0.005)
    assert frame["shot_agreement"].tolist() == listing["shot_agreement"].tolist()


def test_plots_are_the_figures_of_the_page(particles: ParticleResult, micrographs: MicrographResult, tmp_path: Path) -> None:
    for result, draws in (
        (particles, {"distances": particles.plot_distances, "kept": particles.plot_kept_curve, "pickers": particles.plot_pickers}),
        (micrographs, {"significance": micrographs.plot_significance}),
    ):
        result.write(tmp_path, overwrite=True)
        for name, draw in draws.items():
            draw().save(tmp_path / "saved.svg")
            assert (tmp_path / "saved.svg").read_text("utf-8") == (tmp_path / "figures" / f"{name}.svg").read_text("utf-8")


def test_a_figure_shows_itself_in_a_notebook(particles: ParticleResult, micrographs: MicrographResult) -> None:
    names = [micrograph.name for micrograph in particles.sources[0].picks.micrographs[:2]]
    figures = [particles.plot_distances(), micrographs.plot_pair(0), *map(particles.plot_micrograph, names)]
    assert len({figure.name for figure in figures}) == len(figures)  # pictures are found by names that begin with it
    for figure in figures:
        svg = figure._repr_svg_()
        root = ElementTree.fromstring(svg)
        assert (root.get("role"), root.get("class"), root.get("style")) == ("img", "cryodedup", "background:#fff")
        rules = root.findtext("{http://www.w3.org/2000/svg}style", "").strip().splitlines()
        assert len(rules) > 20
        assert all(rule.startswith(".cryodedup ") for rule in rules)
        assert repr(figure) == f"Figure: {figure.caption}"


def test_a_pair_is_drawn_as_on_its_card(micrographs: MicrographResult) -> None:
    figure, shown = micrographs.plot_pair(1), card(micrographs, micrographs.names, 1, PAIR_BYTES)
    root = ElementTree.fromstring(figure._repr_svg_())
    images = [dict(one.attrib) for one in root.iter("{http://www.w3.org/2000/svg}image")]
    assert [one["{http://www.w3.org/1999/xlink}href"] for one in images] == list(shown.raw)
    assert [one.get("opacity") for one in images] == ["1", "0.5"]
    width, height = map(float, root.get("viewBox", "").split()[2:])
    x, y = micrographs.pairs[1].shift_px
    columns, rows = micrographs.sizes[micrographs.pairs[1].first] or (0, 0)
    moved = [float(images[1][axis]) - float(images[0][axis]) for axis in "xy"]
    assert moved == pytest.approx([x * width / (columns + abs(x)), -y * height / (rows + abs(y))], abs=0.05)


def test_a_micrograph_is_found_by_the_end_of_its_path(particles: ParticleResult) -> None:
    assert particles.plot_micrograph("hole_003.mrc").caption.startswith(particles.sources[0].picks.micrographs[0].name.rpartition("/")[0])
    assert "hole_003.mrc" in particles.plot_micrograph("hole_003.mrc").caption
    for name in ("hole_999.mrc", "ole_003.mrc", ""):
        with pytest.raises(InputError, match="found no micrograph of this name with particles, expected one"):
            particles.plot_micrograph(name)


def test_lines_lead_from_rejected_particles_to_those_they_duplicate(particles: ParticleResult) -> None:
    shown = example_of(particles, numbered(particles, "hole_003.mrc"))
    joined = shown.duplicate_of >= 0
    lengths = np.hypot(*(shown.centres_a[joined] - shown.centres_a[shown.duplicate_of[joined]]).T)
    here = particles.micrograph_of[particles.rejected] == numbered(particles, "hole_003.mrc")
    assert sorted(lengths.round(2)) == sorted(particles.distances_a[here].round(2))


def test_what_cannot_be_drawn_is_said(tmp_path: Path, micrographs: MicrographResult) -> None:
    refined = deduplicate_particles(make_refined(make_micrographs(tmp_path / "m")).path, min_separation_a=40)
    with pytest.raises(InputError, match="plot_pickers: found 1 inputs, expected 2 or more"):
        refined.plot_pickers()
    with pytest.raises(InputError, match="plot_pair: found pair 99, expected a number from 0 to"):
        micrographs.plot_pair(99)


def test_python_names_parameters_and_the_command_line_options(tmp_path: Path, command: Callable[..., Ran]) -> None:
    path = star(tmp_path / "p.star", [(1, 1, "m"), (2, 1, "m")], "CoordinateX CoordinateY MicrographName")
    ran = command("particles", path, "-o", tmp_path / "out")
    assert ran.err.endswith("found no micrograph pixel size; give --micrographs micrographs.star (or .cs), or --pixel-size\n")
    with pytest.raises(InputError, match=r'give micrographs="micrographs\.star" \(or \.cs\), or pixel_size_a$') as caught:
        deduplicate_particles(path)
    assert "--" not in str(caught.value)
    warned = [(1000 * i, 0, "m", 1 + i % 2) for i in range(50)] + [(1000 * i + 2, 0, "m", 2 - i % 2) for i in range(20)]
    halves = star(tmp_path / "h.star", warned, "CoordinateX CoordinateY MicrographName RandomSubset")
    ran = command("particles", halves, "--pixel-size", 1, "--dry-run")
    assert "repair the half-sets" in ran.out
    result = deduplicate_particles(halves, pixel_size_a=1.0)
    assert any("repair the half-sets" in text for text in result.warnings)
    assert not any(
        "--" in text or has_marks(text) for text in [*result.warnings, *result.notes, repr(result), json.dumps(result.summary())]
    )
    table = pd.DataFrame({"rlnCoordinateX": [1.0, 2.0], "rlnCoordinateY": [1.0, 1.0], "rlnMicrographName": ["m", "m"]})
    with pytest.raises(
        InputError, match=r'found no micrograph pixel size; give micrographs="micrographs\.star" \(or \.cs\), or pixel_size_a$'
    ):
        deduplicate(table)


def test_the_table_of_kept_micrographs(micrographs: MicrographResult) -> None:
    kept = micrographs.kept_table()
    names = kept["micrographs"]["rlnMicrographName"].tolist() if isinstance(kept, dict) else kept["rlnMicrographName"].tolist()
    assert names == [name for name, stays in zip(micrographs.names, micrographs.kept, strict=True) if stays]
    with pytest.raises(InputError, match=r"found a table in memory \(DataFrame\), expected the path of its file"):
        find_duplicate_micrographs(pd.DataFrame())


def test_what_is_written_twice_is_refused_with_python_words(particles: ParticleResult, tmp_path: Path) -> None:
    particles.write(tmp_path / "out", report=False)
    with pytest.raises(InputError, match=r"output exists; choose another directory, or add overwrite=True$"):
        particles.write(tmp_path / "out", report=False)


def test_two_shots_of_one_hole_are_no_duplicates(micrographs: MicrographResult) -> None:
    """The camera's pattern makes them alike at zero shift."""
    paths = [str(path) for path in micrographs.exposures.paths[:3]]
    for few in (paths[:2], paths):
        result = find_duplicate_micrographs(few, bin=BIN, max_removed=1)
        assert (result.pairs, result.kept.all()) == ((), True)
        assert any("too few to subtract the camera's fixed pattern" in text for text in result.warnings)

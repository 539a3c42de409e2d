"""What a release is made of says the same in every place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from cryodedup import __version__

tomllib = pytest.importorskip("tomllib", reason="Python 3.11 and later read TOML")
ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_version_is_that_of_the_crates() -> None:
    assert tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))["workspace"]["package"]["version"] == __version__
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == __version__
    assert re.search(rf"^## \[{re.escape(__version__)}\] - ", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert recipe()["context"]["version"] == __version__


def recipe() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text("utf-8"))
    return found


def test_the_recipe_asks_for_what_the_package_asks_for() -> None:
    run = recipe()["requirements"]["run"]
    assert isinstance(run, list)
    wanted = {Requirement(text).name: str(Requirement(text).specifier) for text in PROJECT["dependencies"]}
    wanted["python"] = PROJECT["requires-python"]
    assert {name: limit for name, _, limit in (text.partition(" ") for text in run)} == wanted


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_workflows_can_be_read_and_pin_what_they_use(path: Path) -> None:
    assert yaml.safe_load(path.read_text("utf-8"))
    for used in re.findall(r"uses: (\S+)", path.read_text("utf-8")):
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", used), used


def test_every_python_that_is_supported_is_tested() -> None:
    matrix = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"][0] == PROJECT["requires-python"].removeprefix(">=")
    oldest = next(text for text in PROJECT["dependencies"] if text.startswith("numpy"))
    assert oldest == f"numpy>={matrix['include'][0]['numpy'].removesuffix('.*')}"

"""Nothing that cryodedup needs when it runs has a licence that asks more than to be named; docs/licences.md lists all of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import licences
import pytest
from licences import Licensed

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "licences.md").read_text("utf-8")


@pytest.fixture(scope="module")
def crates() -> list[Licensed]:
    """The crates in the wheel."""
    try:
        return licences.crates()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the crates are known only where the wheel is built: {error}")


def test_expressions() -> None:
    for licence in (
        "MIT",
        "MIT OR LGPL-2.1-or-later",
        "Unlicense/MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
    ):
        assert licences.is_permissive(licence), licence
    for licence in ("", "none", "MPL-2.0", "GPL-3.0-only", "MIT AND LGPL-2.1-or-later", "(MIT OR GPL-2.0) AND GPL-2.0"):
        assert not licences.is_permissive(licence), licence


def test_every_crate_in_the_wheel_is_permissive_and_listed(crates: list[Licensed]) -> None:
    assert len(crates) > 10
    assert [crate for crate in crates if not licences.is_permissive(crate.licence)] == []
    missing = [crate for crate in crates if f"| {' | '.join(crate)} |" not in PAGE]
    assert missing == [], "repeat: python benches/licences.py > docs/licences.md"


def test_every_python_package_is_permissive_and_listed() -> None:
    packages = licences.python_packages()
    assert len(packages) > 8
    assert [package for package in packages if not licences.is_permissive(package.licence)] == []
    # Versions are those that the user's installer chooses.
    assert [package.name for package in packages if f"| {package.name} | " not in PAGE] == []


def test_what_extras_add_is_permissive_but_for_those_named() -> None:
    others = {
        package.name: package.licence
        for package in licences.python_packages(licences.EXTRAS)
        if not licences.is_permissive(package.licence)
    }
    assert others.items() <= licences.OPTIONAL.items()

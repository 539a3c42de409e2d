"""Versions and licences of what cryodedup needs when it runs, as the table in docs/licences.md, from what is installed here.

python benches/licences.py > docs/licences.md
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "aarch64-apple-darwin")
PERMISSIVE = frozenset(
    [
        *(
            "0BSD",
            "Apache-2.0",
            "BSD",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "CC0-1.0",
            "ISC",
            "MIT",
            "MIT-0",
            "MIT-CMU",
            "PSF-2.0",
            "Unicode-3.0",
        ),
        *("Unlicense", "Zlib", "bzip2-1.0.6"),
    ]
)
"""Licences, by their SPDX names; BSD without a number is either of the two."""
OPTIONAL = {"certifi": "MPL-2.0"}
"""Other licences, of packages that only an extra brings: users install them, cryodedup does not contain them."""
EXTRAS = ("cryosparc", "hpc", "tiff")
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_TEXTS = {
    "Neither the name": "BSD-3-Clause",
    "Permission is hereby granted, free of charge": "MIT",
}
_HEAD = """# Licences

cryodedup itself is under the [BSD 3-clause licence](https://spdx.org/licenses/BSD-3-Clause.html): the file `LICENSE`. Everything it
needs when it runs has a permissive licence.
`tests/test_licences.py` checks this for what is installed. Made by `python benches/licences.py > docs/licences.md`.
"""


class Licensed(NamedTuple):
    """A package."""

    name: str
    version: str
    licence: str


def is_permissive(licence: str) -> bool:
    """Whether an SPDX expression can be met by permissive licences alone; of nested ones it may say no where a lawyer would say yes."""
    words = re.sub(r" WITH [\w.-]+|[()]", "", licence.replace("/", " OR "))
    choices = [[word.strip() for word in all_of.split(" OR ")] for all_of in words.split(" AND ")]
    return all(PERMISSIVE.intersection(choice) for choice in choices)


def crates() -> list[Licensed]:
    """The crates that are linked into the wheel, on any of its platforms; without those that only run while it is compiled.

    Raises
    ------
    OSError
        There is no cargo.
    subprocess.CalledProcessError
        The crates have not been downloaded.
    """
    return sorted({crate for target in TARGETS for crate in _linked(_cargo_metadata(target))})


def _cargo_metadata(target: str) -> dict[str, Any]:
    command = ["cargo", "metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", target]
    found: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return found


def _linked(found: dict[str, Any]) -> Iterator[Licensed]:
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    ours = set(found["workspace_members"])
    waiting = [one for one in ours if packages[one]["name"] == "cryodedup-binding"]
    seen = set(waiting)
    while waiting:
        one = waiting.pop()
        package = packages[one]
        if any("proc-macro" in target["kind"] for target in package["targets"]):
            continue
        if one not in ours:
            yield Licensed(package["name"], package["version"], package["license"] or "none")
        for other in nodes[one]["deps"]:
            if other["pkg"] not in seen and any(kind["kind"] is None for kind in other["dep_kinds"]):
                seen.add(other["pkg"])
                waiting.append(other["pkg"])


def python_packages(extras: Iterable[str] = ()) -> list[Licensed]:
    """The Python packages that cryodedup needs, with all that these need; for extras: those that the extras add."""
    own = metadata.requires("cryodedup") or []
    always = set(_installed(_applying(own, ())))
    return sorted(set(_installed(_applying(own, extras))) - always) if extras else sorted(always)


def _applying(requirements: Iterable[str], extras: Iterable[str]) -> list[Requirement]:
    parsed = map(Requirement, requirements)
    return [one for one in parsed if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras))]


def _installed(requirements: Iterable[Requirement]) -> Iterator[Licensed]:
    waiting, seen = list(requirements), set()
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # an extra that is not installed
            continue
        yield Licensed(name, package.version, _licence(package))
        waiting += _applying(package.requires or [], requirement.extras)


def _licence(package: metadata.Distribution) -> str:
    """The licence as SPDX expression, else from the classifiers or the text of the licence."""
    if expression := package.metadata.get("License-Expression"):
        return str(expression)
    text = str(package.metadata.get("License") or "").replace("BSD 3-Clause", "BSD-3-Clause")
    if is_permissive(text):
        return text
    for classifier in package.metadata.get_all("Classifier") or []:
        known = _CLASSIFIERS.get(classifier.rpartition(" :: ")[2]) if classifier.startswith("License") else None
        if known is not None:
            return known
    return next((licence for words, licence in _TEXTS.items() if words in text), text.splitlines()[0] if text else "none")


def page() -> str:
    """The page docs/licences.md."""
    parts = [_HEAD, "## Crates in the wheel\n", _table(crates()), "## Python packages\n", _table(python_packages())]
    parts += [f"## Python packages of the extras {', '.join(f'`[{extra}]`' for extra in EXTRAS)}\n", _table(python_packages(EXTRAS))]
    parts.append(
        "cryosparc-tools brings certifi, a list of certificates under MPL-2.0. It is installed with that extra only, and no part of it"
        "\nis in cryodedup. The wheels of imagecodecs, numpy, pillow and pyarrow contain libraries with licences of their own, which are"
        "\nlisted in them.\n"
    )
    return "\n".join(parts)


def _table(packages: Iterable[Licensed]) -> str:
    rows = [("name", "version", "licence"), ("---", "---", "---"), *packages]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    sys.stdout.write(page())

"""The names of tomograms that files of Dynamo and STOPGAP give as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cryodedup.errors import InputError
from cryodedup.formats.star import open_star
from cryodedup.names import named
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.picks import Micrograph, Picks

OPTION = named("tomograms")
NAME, NUMBERS = "rlnTomoName", ("rlnTomoNumber", "tomo_num")


def read_tomograms(path: Path) -> dict[int, str]:
    """Reads lines ``NUMBER NAME``, as in Dynamo's ``.doc`` files, or a STAR table of rlnTomoName and rlnTomoNumber.

    Raises
    ------
    InputError
        A line of something else, or a number with two names.
    """
    try:
        text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(kind="missing", path=path, field=OPTION, reason=(error.strerror or "unreadable").lower()) from None
    is_star = any(line.startswith("data_") for line in text.splitlines())
    pairs = _of_star(path) if is_star else _of_lines(path, text)
    names: dict[int, str] = {}
    for number, name in pairs:
        if names.setdefault(number, name) != name:
            raise InputError(
                kind="ambiguous", path=path, found=f"tomogram {number} as {names[number]} and as {name}", expected=f"one name ({OPTION})"
            )
    numbers: dict[str, int] = {}
    for number, name in names.items():
        if numbers.setdefault(name, number) != number:
            raise InputError(
                kind="ambiguous", path=path, found=f"{name} for tomograms {numbers[name]} and {number}", expected=f"one number ({OPTION})"
            )
    return names


def _of_lines(path: Path, text: str) -> list[tuple[int, str]]:
    pairs = []
    for i, line in enumerate(text.splitlines(), 1):
        cells = line.split(maxsplit=1)
        if not cells or cells[0].startswith("#"):
            continue
        if len(cells) < 2 or not cells[0].isdecimal():
            raise InputError(kind="malformed", path=path, line=i, found=f"{line.strip()!r}", expected=f"a number and a name ({OPTION})")
        pairs.append((int(cells[0]), cells[1].strip()))
    return pairs


def _of_star(path: Path) -> list[tuple[int, str]]:
    (file,) = open_star([path])
    for table in file.tables:
        number = next((label for label in NUMBERS if label in table.labels), None)
        if number is not None and NAME in table.labels:
            try:
                return [(int(row[number]), row[NAME]) for row in file.rows(table)]
            except ValueError as error:
                raise InputError(
                    kind="malformed", path=path, field=number, reason=str(error), expected=f"whole numbers ({OPTION})"
                ) from None
    raise InputError(kind="missing", path=path, found=f"no table with {NAME} and {NUMBERS[0]}", expected=f"one ({OPTION})")


def renamed(picks: Picks, names: dict[int, str], path: Path) -> Picks:
    """The same particles with the names of their tomograms.

    Raises
    ------
    InputError
        A number that has no name.
    """
    return replace(picks, micrographs=[_named(micrograph, picks.label, names, path) for micrograph in picks.micrographs])


def with_names(picks: Picks, params: ParticleParams) -> Picks:
    """The same particles with the names that ``params.tomograms`` gives, if it is given."""
    if params.tomograms is None:
        return picks
    path = Path(params.tomograms)
    return renamed(picks, read_tomograms(path), path)


def _named(micrograph: Micrograph, label: str, names: dict[int, str], path: Path) -> Micrograph:
    if micrograph.number is None:
        return micrograph
    if micrograph.number not in names:
        shown = ", ".join(map(str, sorted(names)[:12]))
        raise InputError(
            kind="missing",
            path=label,
            found=f"tomogram {micrograph.number}",
            expected=f"one of those in {path} ({OPTION}): {shown or 'none'}",
        )
    return replace(micrograph, name=names[micrograph.number], number=None)


def number_note(picks: Sequence[Picks]) -> list[str]:
    """A warning if inputs are matched by numbers alone."""
    numbered = [pick.label for pick in picks if any(micrograph.number is not None for micrograph in pick.micrographs)]
    if len(numbered) < 2:
        return []
    return [
        f"{', '.join(numbered)}: tomograms of equal numbers are treated as the same, since nothing else identifies them; if the inputs are"
        f" from two projects, give each its own names with {OPTION}"
    ]

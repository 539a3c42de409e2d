"""The choice of an earlier run, read from the directory of its result."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cryodedup.apply.rows import FileRows, read_rows
from cryodedup.apply.verdicts import Verdicts, of_mask
from cryodedup.errors import InputError
from cryodedup.formats.output import ParticleRows
from cryodedup.formats.pick_output import PickFilesOutput
from cryodedup.micrographs.listings import VERSIONS
from cryodedup.micrographs.summary import SCHEMA as OF_MICROGRAPHS
from cryodedup.names import named
from cryodedup.output_directory import LISTING
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.micrograph_names import normalised_path
from cryodedup.particles.inputs.pickers import micrograph_name
from cryodedup.particles.inputs.picks import Micrograph, Picks
from cryodedup.particles.inputs.reading import read_inputs
from cryodedup.particles.inputs.tomograms import with_names
from cryodedup.particles.summary import SCHEMA as OF_PARTICLES
from cryodedup.summary_file import SUMMARY
from cryodedup.summary_file import read_summary as read_json
from cryodedup.text import name_in, shown

Chosen = Literal["particles", "micrographs"]
RESTORE = f"restore it, or repeat that run with {named('overwrite', True)}"
TABLES = ".csg", ".star", ".txt"
"""What the kept micrographs are read from: the first of these that the run wrote."""


@dataclass(frozen=True, kw_only=True)
class ChosenMicrographs:
    """Micrographs that an earlier run kept or removed.

    ``versions``: those that were removed as versions of an exposure (copies, halves, not dose-weighted): they are known by path and uid,
    but not by name, since their exposure has another micrograph in ``micrographs``.
    """

    label: str
    files: Sequence[Path]
    micrographs: Sequence[Micrograph]
    verdicts: Verdicts
    versions: Sequence[Micrograph]
    kept_for: Mapping[str, str]
    """For each removed micrograph the kept one that it duplicates, by normalised paths."""


@dataclass(frozen=True, kw_only=True)
class ChosenParticles:
    """The particles of one input of the run, the kept ones first; ``micrograph_of`` are indices into ``micrographs``.

    ``source``: what ``duplicates.csv`` calls the input; ``starts``: the rows of the two files with which they begin.
    """

    label: str
    source: str
    picks: tuple[Picks, Picks]
    micrographs: Sequence[Micrograph]
    micrograph_of: NDArray[np.uint32]
    verdicts: Verdicts
    starts: tuple[int, int]

    @property
    def uids(self) -> NDArray[np.uint64] | None:
        """Uint64 (n,); None if the run's input had none."""
        kept, rejected = (pick.uids for pick in self.picks)
        return None if kept is None or rejected is None else np.concatenate([kept, rejected])


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """An earlier result: of particles or of micrographs."""

    directory: Path
    schema: str
    files: Sequence[Path]
    micrographs: ChosenMicrographs | None = None
    particles: Sequence[ChosenParticles] = ()

    @property
    def of(self) -> Chosen:
        """Returns what the run chose among."""
        return "particles" if self.schema == OF_PARTICLES else "micrographs"


def read_summary(directory: Path) -> dict[str, Any]:
    """The summary of a result that can be applied.

    Raises
    ------
    InputError
        No directory, no summary, one of another command, or a result without kept and rejected files.
    """
    if not directory.is_dir():
        found = "a file" if directory.exists() else "no such directory"
        raise InputError(
            kind="missing", path=directory, found=found, expected="the directory that cryodedup particles or micrographs wrote (-o)"
        )
    path = directory / SUMMARY
    if not path.is_file():
        raise InputError(
            kind="missing",
            path=directory,
            found=f"no {SUMMARY}",
            expected="the directory that cryodedup particles or micrographs wrote (-o)",
        )
    try:
        summary = read_json(path)
        schema, outputs = str(summary["schema"]), [str(name) for name in summary["outputs"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(
            kind="malformed", path=path, found="another file", expected="the summary that cryodedup particles or micrographs wrote"
        ) from None
    if schema not in (OF_PARTICLES, OF_MICROGRAPHS):
        raise InputError(
            kind="unsupported",
            path=path,
            found=f"schema {schema!r}",
            expected=f"{OF_PARTICLES} or {OF_MICROGRAPHS}, of cryodedup particles or micrographs",
        )
    if summary.get("withheld"):
        raise InputError(
            kind="unsupported",
            path=directory,
            found=f"a result that is withheld ({summary['withheld']})",
            expected="one with micrographs_kept.*",
        )
    if not outputs:
        raise InputError(
            kind="unsupported",
            path=directory,
            found="the summary of a dry run",
            expected="a result with files",
            remedy="repeat that command, not as a dry run",
        )
    return dict(summary)


def read_earlier(directory: Path, params: ParticleParams, summary: Mapping[str, Any]) -> Earlier:
    """The kept and the rejected of an earlier result, by its own files.

    Raises
    ------
    InputError
        A file is missing or has another number of rows than the summary says; or nothing was rejected by design (``--half-sets repair``).
    """
    try:
        _check_summary(summary)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            kind="malformed", path=directory / SUMMARY, found=f"a damaged summary ({error})", expected="the summary of a finished run"
        ) from None
    if summary["schema"] == OF_MICROGRAPHS:
        chosen = _micrographs(directory, params, summary)
        return Earlier(directory=directory, schema=OF_MICROGRAPHS, files=chosen.files, micrographs=chosen)
    return _particles(directory, params, summary)


def _check_summary(summary: Mapping[str, Any]) -> None:
    """Raises KeyError, TypeError, ValueError or AttributeError if something that is needed is not there."""
    names: list[Any] = []
    if summary["schema"] == OF_MICROGRAPHS:
        counts = [summary["kept"], summary["removed"], summary["versions"]["removed"]]
    else:
        summary["parameters"].get("half_sets")
        counts = [source[word] for source in summary["sources"] for word in ("kept", "rejected")]
        names = [source[word] for source in summary["sources"] for word in ("written_to", "input")]
    if not (all(isinstance(number, int) for number in counts) and all(isinstance(name, str) for name in names)):
        raise TypeError("counts or names of files are missing")


def earlier_params(path: Path, summary: Mapping[str, Any]) -> ParticleParams:
    """How the particles of an earlier run were read, and its micrographs matched, by its summary, which stands in ``path``."""
    used = summary.get("parameters") or {}
    of_particles = ("tomograms", "min_separation_a", "pixel_size_a", "start_end") if summary["schema"] == OF_PARTICLES else ()
    try:
        return ParticleParams(
            **{"min_separation_a": 0.0, **{name: used[name] for name in ("match", *of_particles) if name in used}},
            flip_y=bool(used.get("flip_y")),
            score_field="none",
        )
    except (InputError, TypeError, AttributeError) as error:
        raise InputError(
            kind="malformed", path=path, found=f"damaged parameters ({error})", expected="the parameters of a finished run"
        ) from None


def there(directory: Path, name: str) -> Path:
    """A file of the result; raises InputError if it is not there."""
    path = directory / name
    if not path.exists():
        raise InputError(kind="missing", path=path, found="no such file", expected="the complete result of the earlier run", remedy=RESTORE)
    return path


def _check_count(path: Path, found: int, expected: int) -> None:
    if found != expected:
        raise InputError(
            kind="contradiction",
            path=path,
            found=f"{found:,} rows",
            expected=f"{expected:,} as {SUMMARY} says: the file is not the one that the run wrote",
            remedy=f"repeat that run with {named('overwrite', True)}",
        )


def _micrographs(directory: Path, params: ParticleParams, summary: Mapping[str, Any]) -> ChosenMicrographs:
    outputs = summary["outputs"]
    suffix = next((suffix for suffix in TABLES if f"micrographs_kept{suffix}" in outputs), TABLES[-1])
    paths = [there(directory, f"micrographs_{word}{suffix}") for word in ("kept", "removed")]
    kept, removed = (read_rows(path, params, positions=False) for path in paths)
    for rows, word in ((kept, "kept"), (removed, "removed")):
        _check_count(Path(rows.label), len(rows), summary[word])
    kept_names, removed_names = ({normalised_path(one.name) for one in rows.micrographs} for rows in (kept, removed))
    versions = _versions(directory, summary, removed_names)
    chosen = [(one, True) for one in _each(kept)] + [(one, False) for one in _each(removed)]
    judged = [(one, stays) for one, stays in chosen if normalised_path(one.name) not in versions]
    return ChosenMicrographs(
        label=str(directory),
        files=[directory / SUMMARY, *kept.output.files, *removed.output.files, *paths],
        micrographs=[one for one, _ in judged],
        verdicts=of_mask(np.array([stays for _, stays in judged], bool)),
        versions=[one for one, _ in chosen if normalised_path(one.name) in versions],
        kept_for=_kept_for(directory, kept_names, removed_names - versions),
    )


def _kept_for(directory: Path, kept: Set[str], removed: Set[str]) -> dict[str, str]:
    """For each removed micrograph the kept one: the first row of each names it."""
    path = there(directory, LISTING)
    found: dict[str, str] = {}
    for duplicate, original in _paths_in(path, "Duplicate", "Original"):
        found.setdefault(duplicate, original)
    _check_names(path, "Duplicate", found.keys() ^ removed)
    _check_names(path, "Original", set(found.values()) - kept)
    return found


def _paths_in(path: Path, *columns: str) -> list[tuple[str, ...]]:
    """The paths in some columns of a table that the run wrote."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = [[row.get(column) for column in columns] for row in csv.DictReader(file)]
    except csv.Error:
        rows = [[None]]
    paths = [tuple(_path_in(cell) for cell in row if cell is not None) for row in rows]
    if any(len(row) < len(columns) for row in paths):
        expected = " and ".join(columns)
        raise InputError(
            kind="contradiction", path=path, found=f"rows without {expected}", expected="the table that the run wrote", remedy=RESTORE
        )
    return paths


def _check_names(path: Path, column: str, wrong: Set[str]) -> None:
    if wrong:
        raise InputError(
            kind="contradiction",
            path=path,
            found=(f"names that do not agree with micrographs_kept and micrographs_removed, such as the {column} {shown(min(wrong))}"),
            expected="the files of one run",
            remedy=RESTORE,
        )


def _path_in(cell: str) -> str:
    return normalised_path(name_in(cell))


def _each(rows: FileRows) -> list[Micrograph]:
    return [rows.micrographs[i] for i in rows.micrograph_of]


def _versions(directory: Path, summary: Mapping[str, Any], removed: Set[str]) -> frozenset[str]:
    expected = summary["versions"]["removed"]
    if not expected:
        return frozenset()
    path = there(directory, VERSIONS)
    found = [version for (version,) in _paths_in(path, "Version")]
    _check_count(path, len(found), expected)
    _check_names(path, "Version", set(found) - removed)
    return frozenset(found)


def _particles(directory: Path, params: ParticleParams, summary: Mapping[str, Any]) -> Earlier:
    if summary["parameters"].get("half_sets") == "repair":
        raise InputError(
            kind="unsupported",
            path=directory,
            found=f"a result of {named('half_sets', 'repair')}",
            expected="one with kept and rejected particles: a repair rejects no particles",
            remedy=f"use its particles_repaired file, or repeat the run without {named('half_sets', 'repair')}",
        )
    written: dict[str, list[Mapping[str, Any]]] = {}
    for source in summary["sources"]:
        written.setdefault(source["written_to"], []).append(source)
    pairs = [pair for name, sources in written.items() for pair in _pairs(directory, params, name, sources, summary["outputs"])]
    files = [file for pair in pairs for pick in pair.picks for file in pick.output.files]
    return Earlier(
        directory=directory,
        schema=OF_PARTICLES,
        files=[directory / SUMMARY, *files],
        particles=pairs,
    )


def _pairs(
    directory: Path, params: ParticleParams, name: str, sources: Sequence[Mapping[str, Any]], outputs: Sequence[str]
) -> list[ChosenParticles]:
    """Separates the particles of inputs that were written together: one micrograph may have another name in each of them."""
    stem, _, ending = name.rpartition("_kept")
    if ending == "/":
        ending = ".star" if f"{stem}_kept.star" in outputs else ""  # an index of pick files names their micrographs
    ending = ".csg" if ending == ".cs" else ending
    picks = []
    for word in ("kept", "rejected"):
        path = there(directory, f"{stem}_{word}{ending}")
        (pick,) = (with_names(pick, params) for pick in read_inputs([path], params))
        _check_count(path, len(pick), sum(source[word] for source in sources))
        picks.append(_named(pick, sources[0]["input"]))
    if len(sources) == 1:
        return [_chosen(str(directory / name), sources[0]["input"], picks[0], picks[1], (0, 0))]
    ends = [np.cumsum([0, *(source[word] for source in sources)]) for word in ("kept", "rejected")]
    parts = [[pick.part(int(end[i]), int(end[i + 1])) for pick, end in zip(picks, ends, strict=True)] for i in range(len(sources))]
    return [
        _chosen(
            f"{directory / name}, from {source['input']}", source["input"], parts[i][0], parts[i][1], (int(ends[0][i]), int(ends[1][i]))
        )
        for i, source in enumerate(sources)
    ]


def _chosen(label: str, source: str, kept: Picks, rejected: Picks, starts: tuple[int, int]) -> ChosenParticles:
    picks = (kept, rejected)
    micrographs = list({(one.name, one.uid): one for pick in picks for one in pick.micrographs}.values())
    at = {(one.name, one.uid): i for i, one in enumerate(micrographs)}
    columns = [np.array([at[one.name, one.uid] for one in pick.micrographs], np.uint32)[pick.micrograph_of] for pick in picks if len(pick)]
    return ChosenParticles(
        label=label,
        source=source,
        picks=picks,
        starts=starts,
        micrographs=micrographs,
        micrograph_of=np.concatenate([np.zeros(0, np.uint32), *columns]),
        verdicts=of_mask(np.repeat([True, False], [len(pick) for pick in picks])),
    )


def _named(picks: Picks, source: str) -> Picks:
    """A single file of picks is of the micrograph that the run's input was named after; its own name says ``_kept``, too."""
    output = picks.output.rows if isinstance(picks.output, ParticleRows) else picks.output
    own = isinstance(output, PickFilesOutput) and output.is_single
    if not own or len(picks.micrographs) != 1 or picks.micrographs[0].name != micrograph_name(Path(picks.label)):
        return picks
    return replace(picks, micrographs=[Micrograph(name=micrograph_name(Path(source)))])

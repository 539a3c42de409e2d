"""The directory of the results: written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path

from cryodedup.errors import InputError
from cryodedup.names import named
from cryodedup.summary_file import SUMMARY, read_summary
from cryodedup.system.signals import held_back
from cryodedup.system.staging import OLD, abandoned, discard, holds_earlier, locked, make_lasting, staging_directory

LISTING, PAGE, FIGURES = "duplicates.csv", "report.html", "figures"
_FIGURE = r"figures/\w+\.(png|svg)"
FIGURES_OF_PAGE = "cryodedup-figures"
"""The name under which a page lists its figures, in its head: no summary does, since it is the same without a page."""
_HEAD = 4096
"""Bytes of a page that hold this list."""
_OURS = re.compile(
    rf"(duplicates|overlaps|versions|ccc)\.csv|report\.html|([^/]+_)?optimisation_set\.star|{_FIGURE}|[^/]+_(kept|rejected|removed|repaired)(_passthrough\d*)?(\.\w+)?/?"
)


@contextmanager
def staged(directory: Path, overwrite: bool, inputs: Set[Path], schema: str, *, leaving: re.Pattern[str] | None = None) -> Iterator[Path]:
    """A directory inside that of the results; its content is moved there if all goes well, else nothing changes.

    Parameters
    ----------
    overwrite
        Whether earlier results are replaced.
    inputs
        Real paths of files that must not be written over.
    schema
        Of the summary: what an earlier run of the same command wrote goes, what another one did stays.
    leaving
        Names of files that go, too, whoever wrote them: beside these results they would mislead.
    """
    check_directory(directory, overwrite)
    _found_outputs(directory, leaving, overwrite)
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with staging_directory(directory) as staging:
            for path in abandoned(directory, staging):
                if not holds_earlier(path) and not (path / SUMMARY).exists():  # with one, its files may be in one: it says which
                    discard(path)
            with _naming_targets(staging, directory):
                yield staging
                make_lasting([*staging.rglob("*")])
                with locked(directory), held_back():
                    left = abandoned(directory, staging)
                    directories = [directory, *left, *(path / OLD for path in left)]
                    listed = {one: _listed_outputs(one, directories, schema) for one in directories}
                    for path in left:  # of what a killed run was moving into one: what it has moved
                        listed[path] = [name for name in listed[path] if not os.path.lexists(path / name)]
                    outdated = [name for names in listed.values() for name in names]
                    _move(staging, directory, overwrite, inputs, [*outdated, *_found_outputs(directory, leaving, overwrite)])
                    with suppress(OSError):  # all is in one, whatever the disk says of the names
                        make_lasting([directory, *(path.parent for path in made)])
                    discard(staging)
            for path in left:
                if listed[path / OLD] or not holds_earlier(path):  # what another command's result was is not replaced by this one
                    discard(path)
    finally:
        if made:
            with suppress(OSError):  # not empty, or not there any more
                directory.rmdir()


@contextmanager
def _naming_targets(staging: Path, directory: Path) -> Iterator[None]:
    """Names the file that was to be there in an error about one that is being written."""
    try:
        yield
    except OSError as error:
        path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | os.PathLike) else directory
        if path.is_relative_to(staging) and not path.is_relative_to(staging / OLD):
            error.filename = os.fspath(directory / path.relative_to(staging))
        raise


def names_of_outputs(staging: Path) -> list[str]:
    """Returns what will be in the directory: what is staged, folders with a stroke behind, figures one by one; and the summary."""
    return sorted({*_staged_names(staging), SUMMARY})


def top_level(names: Sequence[str]) -> list[str]:
    """The names in the directory itself."""
    return list(dict.fromkeys(name.split("/")[0] for name in names))


def _staged_names(staging: Path) -> list[str]:
    names = []
    for entry in staging.iterdir():
        if entry.name == FIGURES:
            names += [f"{FIGURES}/{figure.name}" for figure in entry.iterdir()]
        else:
            names.append(entry.name + "/" * entry.is_dir())
    return names


def given_directory(directory: Path | str) -> Path:
    """The path; not the empty text, as an unset variable of a script gives it, which a path takes for the current directory."""
    if not str(directory):
        raise InputError(kind="parameter", found=f"an empty path as {named('directory')}", expected="a directory")
    return Path(directory)


def check_directory(directory: Path, overwrite: bool) -> None:
    """Refuses a path that cannot be the output directory, or one that holds an earlier result."""
    if (real := Path(os.path.realpath(directory))) == real.parent:
        raise InputError(
            kind="parameter",
            path=directory,
            found=f"the root of the file system as {named('directory')}",
            expected="a directory of its own",
        )
    if os.path.lexists(directory) and not directory.is_dir():
        raise InputError(kind="exists", path=directory, found="a file", expected=f"a new or an existing directory ({named('directory')})")
    present = [name for name in (SUMMARY, LISTING) if (directory / name).exists()]
    if present and not overwrite:
        raise InputError(
            kind="exists",
            path=directory / present[0],
            reason="output exists",
            remedy=f"choose another {named('directory')}, or add {named('overwrite', True)}",
        )
    unfinished = next((path for path in abandoned(directory) if holds_earlier(path)), None)
    if unfinished is not None and not overwrite:
        raise InputError(
            kind="exists",
            path=directory,
            found=f"a result that was being replaced when a run was killed (the earlier files are in {unfinished / OLD})",
            remedy=f"add {named('overwrite', True)}, or choose another {named('directory')}",
        )
    figures = directory / FIGURES
    if os.path.lexists(figures) and (figures.is_symlink() or not figures.is_dir()):
        found = "a link" if figures.is_symlink() else "a file"
        raise InputError(
            kind="exists",
            path=figures,
            found=f"{found}, but a directory would be written there",
            remedy=f"choose another {named('directory')}",
        )


def refuse_inputs_among_outputs(directory: Path, inputs: Sequence[Path], outputs: re.Pattern[str]) -> None:
    """Refuses before the work, as :func:`staged` does after it, an input that is where an output is to be written."""
    for path in inputs:
        real = Path(os.path.realpath(path))
        if real.parent == Path(os.path.realpath(directory)) and outputs.fullmatch(real.name):
            raise InputError(
                kind="exists", path=path, found="an input, which an output would replace", remedy=f"choose another {named('directory')}"
            )


def _listed_outputs(directory: Path, directories: Sequence[Path], schema: str) -> list[str]:
    """Returns what an earlier run says it wrote, by its summary: removed when overwritten, so that no old file stands among the new.

    ``directories``: where its page may be, if a run was killed while it replaced the result.
    """
    try:
        summary = read_summary(directory / SUMMARY)
        outputs = summary["outputs"] if str(summary["schema"]).split("/")[0] == schema.split("/", maxsplit=1)[0] else []
        listed = [name for name in outputs if isinstance(name, str) and _OURS.fullmatch(name)]
        return [*listed, *(name for one in directories for name in _page_and_figures(one))] if outputs else []
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _page_and_figures(directory: Path) -> list[str]:
    """The page of an earlier run and the figures that it lists; what else is there is not ours."""
    try:
        with (directory / PAGE).open("rb") as file:
            listed = re.search(rf'name="{FIGURES_OF_PAGE}" content="([\w ]*)"', file.read(_HEAD).decode("utf-8", "replace"))
    except OSError:
        return []
    return [] if listed is None else [PAGE, *(f"{FIGURES}/{name}.svg" for name in listed[1].split())]


def _found_outputs(directory: Path, leaving: re.Pattern[str] | None, overwrite: bool) -> list[str]:
    if leaving is None or not directory.is_dir():
        return []
    found = sorted(entry.name for entry in directory.iterdir() if leaving.fullmatch(entry.name) and not entry.is_dir())
    if found and not overwrite:
        raise InputError(
            kind="exists",
            path=directory / found[0],
            reason="output exists",
            remedy=f"choose another {named('directory')}, or add {named('overwrite', True)}",
        )
    return found


def holds_withheld(directory: Path) -> bool:
    """Whether an earlier run withheld its result here: to decide again then loses nothing."""
    try:
        return bool(read_summary(directory / SUMMARY)["withheld"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _with_folders(inputs: Set[Path]) -> Set[Path]:
    return inputs | {folder for path in inputs for folder in path.parents}


def _move(staging: Path, directory: Path, overwrite: bool, inputs: Set[Path], outdated: Sequence[str]) -> None:
    """Moves what was written into one.

    Nothing is replaced before it is known that all may be, and if a move fails, those before it are undone. The summary is the first to go
    and the last to come: a directory that has one is whole, even if the machine stops in between.
    """
    new, held = sorted(_staged_names(staging)), _with_folders(inputs)
    for name in new:
        target = directory / name
        if Path(os.path.realpath(target)) in held:
            raise InputError(
                kind="exists", path=target, found="an input, which an output would replace", remedy=f"choose another {named('directory')}"
            )
        if not os.path.lexists(target):
            continue
        if not overwrite:
            raise InputError(
                kind="exists",
                path=target,
                reason="output exists",
                remedy=f"choose another {named('directory')}, or add {named('overwrite', True)}",
            )
        if target.is_dir() != name.endswith("/") or ("/" in name and name not in outdated):
            raise InputError(
                kind="exists",
                path=target,
                found="a file that no earlier run of this command wrote",
                remedy=f"choose another {named('directory')}",
            )
    old = staging / OLD
    (old / FIGURES).mkdir(parents=True)
    going = [name for name in outdated if Path(os.path.realpath(directory / name)) not in held]
    leaving = [name for name in dict.fromkeys([*new, *going]) if os.path.lexists(directory / name)]
    if any(name.startswith(f"{FIGURES}/") for name in new):
        (directory / FIGURES).mkdir(exist_ok=True)
    moves = [(directory / name, old / name) for name in sorted(leaving, key=lambda name: name != SUMMARY)]
    moves += [(staging / name, directory / name) for name in sorted(new, key=lambda name: name == SUMMARY)]
    _move_all(moves, old, directory / FIGURES)


def _move_all(moves: Sequence[tuple[Path, Path]], old: Path, figures: Path) -> None:
    """Moves all, or none; before the last, the summary, the folder of the figures is completed, or removed if it is empty."""
    done: list[tuple[Path, Path]] = []
    try:
        for start, end in moves:
            if (start, end) == moves[-1]:
                with suppress(OSError):  # not empty, or none
                    figures.rmdir()
                with suppress(OSError):
                    make_lasting([figures])
            _rename(start, end)
            done.append((start, end))
    except OSError as failed:
        try:
            for start, end in reversed(done):
                start.parent.mkdir(exist_ok=True)
                end.rename(start)
        except OSError:
            text = f"{failed.strerror}; the earlier result could not be put back: it is in {old}"
            raise OSError(failed.errno, text, failed.filename) from None
        raise


def _rename(start: Path, end: Path) -> None:
    try:
        start.rename(end)
    except FileNotFoundError:
        # NFS repeats a request whose answer was lost: it was done before, and this time there is nothing.
        if os.path.lexists(start) or not os.path.lexists(end):
            raise

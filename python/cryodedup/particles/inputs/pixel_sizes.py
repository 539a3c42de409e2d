"""The pixel size of every particle's coordinates, and where it was found.

One order: ``--micrographs``; else a certain value of the file; else the user's; else an uncertain value, with a warning; else refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from cryodedup.errors import InputError
from cryodedup.names import named
from cryodedup.particles.inputs.micrograph_table import OPTION, MicrographTable
from cryodedup.particles.inputs.picks import Floats, Picks, PixelSize
from cryodedup.text import count

CHOSEN, OVERRIDE = named("pixel_size_a"), named("pixel_size_override")
TOLERANCE = 0.05
"""A user's value may differ from a certain one by this share, since calibrations are refined. If it differs by more, one is wrong."""
EQUAL = 1e-4
MAX_LISTED = 6
RECONSTRUCTED_IN = f"{OPTION}, binned"
RECONSTRUCTED = (
    f"the pixel size of the reconstructed tomogram; if the particles were picked at another binning, give {named('pixel_size_a')}"
)


@dataclass(frozen=True)
class Resolved:
    """Pixel sizes of one input's particles, one for all or one for each, and where they were found, for the summary.

    ``known``: False if none was found and none is needed; ``sizes_a`` is then 1.
    """

    sizes_a: Floats | float
    found: list[dict[str, object]]
    warnings: list[str] = field(default_factory=list)
    known: bool = True


def chosen_by_input(
    labels: Sequence[str], chosen: float | Mapping[str, float] | None, parameter: str = "pixel_size_a"
) -> list[float | None]:
    """The value that the user gives for each input: one for all, or by the input's path, file name or stem.

    Raises
    ------
    InputError
        A name that fits no input or several, or an input that is named twice.
    """
    if not isinstance(chosen, Mapping):
        return [chosen] * len(labels)
    sizes: list[float | None] = [None] * len(labels)
    for name, size in chosen.items():
        bare = name.rstrip("/")
        fitting = [i for i, label in enumerate(labels) if bare in (label, Path(label).name, Path(label).stem)]
        if len(fitting) != 1:
            found = f"inputs {labels[fitting[0]]} and {labels[fitting[1]]}" if fitting else "no such input"
            raise InputError(
                kind="parameter",
                field=named(parameter, f"{name}={size:g}"),
                found=found,
                expected=f"the name of one of {', '.join(labels)}",
            )
        if sizes[fitting[0]] is not None:
            raise InputError(
                kind="parameter", field=named(parameter, f"{name}={size:g}"), found=f"{labels[fitting[0]]} named twice", expected="once"
            )
        sizes[fitting[0]] = size
    return sizes


def resolve(
    picks: Picks, table: MicrographTable | None, rows: Sequence[int | None], chosen_a: float | None, *, override: bool, needed: bool
) -> Resolved:
    """The pixel size of each particle.

    Parameters
    ----------
    rows
        The row of each micrograph in the table.
    chosen_a
        The value that the user gives for this input; with ``override`` it is used whatever the files contain.
    needed
        Whether a missing one is an error.
    """
    if picks.in_angstrom:
        unused = (
            [f"{picks.label}: {named('pixel_size_a', format(chosen_a, 'g'))} not used: coordinates are in Å"]
            if chosen_a is not None
            else []
        )
        return Resolved(1.0, [{"of": "", "pixel_size_a": None, "found_in": "coordinates are in Å"}], unused)
    by_micrograph, uncertain = _of_table(picks, table, rows)
    if override and chosen_a is not None:
        return _overridden(picks, by_micrograph, chosen_a)
    covered = ~np.isnan(by_micrograph)
    found: list[dict[str, object]] = [
        {"of": count(int((by_micrograph == size).sum()), "micrograph"), "pixel_size_a": float(size), "found_in": OPTION}
        for size in np.unique(by_micrograph[covered])
    ]
    warnings = _of_table_warnings(picks, table, by_micrograph, chosen_a) if table is not None and picks.counted_in == "micrograph" else []
    if covered.all() and len(picks.micrographs):
        return Resolved(_spread(by_micrograph, picks.micrograph_of), found, warnings)
    by_group = np.full(max(1, len(picks.pixel_sizes)), np.nan)
    doubtful: list[PixelSize] = []
    for i in _groups_needed(picks, covered):
        size = picks.pixel_sizes[i]
        if size.value_a is None and chosen_a is None and not np.isnan(uncertain).any() and len(uncertain):
            found.append({"of": "all", "pixel_size_a": float(uncertain[0]), "found_in": RECONSTRUCTED_IN})
            warnings.append(f"{picks.label}: pixel size {_listed(uncertain)} Å from {RECONSTRUCTED_IN}, {RECONSTRUCTED}")
            return Resolved(_spread(uncertain, picks.micrograph_of), found, warnings)
        value = _of_group(picks, size, chosen_a, found, warnings)
        if value is None and not needed:
            return Resolved(1.0, [{"of": "", "pixel_size_a": None, "found_in": "not known, not needed"}], warnings, known=False)
        if value is None:
            raise _missing(picks, size, covered)
        if size.uncertain and chosen_a is None:
            doubtful.append(size)
        by_group[i] = value
    warnings += _doubts(picks.label, doubtful)
    if not covered.any():
        return Resolved(_spread(by_group, picks.pixel_size_of), found, warnings)
    own = np.broadcast_to(_spread(by_group, picks.pixel_size_of), len(picks))
    return Resolved(np.where(covered[picks.micrograph_of], by_micrograph[picks.micrograph_of], own), found, warnings)


def certain_sizes_a(picks: Picks) -> Floats:
    """The pixel size of each particle's coordinates as the input gives it, float64 (n,), Å; NaN where it is not certain."""
    return _each(picks, [None if size.uncertain else size.value_a for size in picks.pixel_sizes])


def likely_sizes_a(picks: Picks, chosen_a: float | None) -> Floats:
    """The same without ``--micrographs``: a certain value, else the user's, else an uncertain one."""
    doubtful = [
        chosen_a if chosen_a is not None and (size.uncertain or size.value_a is None) else size.value_a for size in picks.pixel_sizes
    ]
    return _each(picks, doubtful)


def _each(picks: Picks, sizes: Sequence[float | None]) -> Floats:
    values = np.array([np.nan if size is None else size for size in sizes] or [np.nan], np.float64)
    return np.full(len(picks), values[0]) if picks.pixel_size_of is None else values[picks.pixel_size_of]


def _doubts(label: str, sizes: Sequence[PixelSize]) -> list[str]:
    """One warning for all groups that are uncertain for the same reason."""
    warnings = []
    for reason in dict.fromkeys(size.uncertain for size in sizes):
        mine = [size for size in sizes if size.uncertain == reason]
        values = _listed(np.array([size.value_a for size in mine], np.float64))
        groups = f" ({mine[0].of} and {count(len(mine) - 1, 'other')})" if len(mine) > 1 else f" ({mine[0].of})" if mine[0].of else ""
        warnings.append(f"{label}: pixel size {values} Å from {mine[0].found_in}{groups}, {reason}")
    return warnings


def _listed(sizes: Floats) -> str:
    return ", ".join(f"{size:g}" for size in np.unique(sizes)[:MAX_LISTED])


def _of_table(picks: Picks, table: MicrographTable | None, rows: Sequence[int | None]) -> tuple[Floats, Floats]:
    """For each micrograph the certain and the uncertain pixel size that ``--micrographs`` gives; NaN for none."""
    certain, uncertain = (np.full(len(picks.micrographs), np.nan) for _ in range(2))
    if table is None or picks.counted_in == "export":
        return certain, uncertain
    for i, (row, micrograph) in enumerate(zip(rows, picks.micrographs, strict=True)):
        if row is not None and picks.counted_in == "micrograph":
            certain[i] = table.size_of(row, micrograph)
        elif row is not None:
            uncertain[i] = float(f"{table.sizes_a[row] * table.binnings[row]:.6g}")
    return certain, uncertain


def _of_table_warnings(picks: Picks, table: MicrographTable, by_micrograph: Floats, chosen_a: float | None) -> list[str]:
    """Warnings about micrographs that ``--micrographs`` does not name, and about values that differ from those of the user or the input."""
    covered = ~np.isnan(by_micrograph)
    warnings = []
    if not covered.all():
        missing = picks.micrographs[int(np.flatnonzero(~covered)[0])].name
        warnings.append(f"{picks.label}: {table.path} names {covered.sum():,} of its {count(len(covered), 'micrograph')}, not {missing}")
    sizes = sorted(set(by_micrograph[covered].tolist()))
    for size in sizes:
        warnings += _compare_chosen(picks.label, "", chosen_a, size, str(table.path))[:1]
    own = sorted({size.value_a for size in picks.pixel_sizes if size.value_a is not None and not size.uncertain})
    if sizes and own and any(min(abs(size - other) for other in own) > EQUAL * size for size in sizes):
        if picks.format == "CryoSPARC" and any(min(abs(size - other) for other in own) > TOLERANCE * size for size in sizes):
            raise InputError(
                kind="contradiction",
                path=picks.label,
                found=(
                    f"a pixel size of {_listed(np.array(own))} Å, but of {_listed(np.array(sizes))} Å in {table.path},"
                    " which does not give the sizes of the micrographs: the micrographs have different binnings, and"
                    " locations are fractions of a micrograph"
                ),
                remedy=f"leave {named('micrographs')} out",
            )
        used, given = (", ".join(f"{size:g}" for size in values) for values in (sizes, own))
        warnings.append(
            f"{picks.label}: pixel size {used} Å from {table.path} used, not {given} Å from the input: coordinates are taken to be in"
            " pixels of these micrographs"
        )
    return list(dict.fromkeys(warnings))


def _compare_chosen(label: str, of: str, chosen_a: float | None, certain_a: float, where: str) -> list[str]:
    """A warning if the user's value differs from that of the file; an error if it differs by more than 5 %."""
    if chosen_a is None or abs(chosen_a - certain_a) <= EQUAL * certain_a:
        return []
    if abs(chosen_a - certain_a) > TOLERANCE * certain_a:
        raise InputError(
            kind="contradiction",
            path=label,
            field=of or None,
            found=f"{named('pixel_size_a', format(chosen_a, 'g'))}, while {where} gives {certain_a:g} Å",
            remedy=f"leave {CHOSEN} out, or add {OVERRIDE} if your value is right",
        )
    return [
        f"{label}{of and f': {of}'}: {named('pixel_size_a', format(chosen_a, 'g'))} not used: {where} gives {certain_a:g} Å; add"
        f" {OVERRIDE} to use your value"
    ]


def _overridden(picks: Picks, by_micrograph: Floats, chosen_a: float) -> Resolved:
    known = {size.value_a for size in picks.pixel_sizes if size.value_a is not None} | set(by_micrograph[~np.isnan(by_micrograph)].tolist())
    others = ", ".join(f"{size:g}" for size in sorted(known) if abs(size - chosen_a) > EQUAL * chosen_a)
    warnings = [f"{picks.label}: pixel size {chosen_a:g} Å used because of {OVERRIDE}, not {others} Å"] if others else []
    return Resolved(chosen_a, [{"of": "all", "pixel_size_a": chosen_a, "found_in": OVERRIDE}], warnings)


def _groups_needed(picks: Picks, covered: np.ndarray) -> Sequence[int]:
    """The groups of pixel sizes that have particles in a micrograph whose pixel size ``--micrographs`` does not give."""
    if not len(picks) or not picks.pixel_sizes:
        return []
    if len(picks.pixel_sizes) == 1:
        return [0]
    assert picks.pixel_size_of is not None
    groups = picks.pixel_size_of if not covered.any() else picks.pixel_size_of[~covered[picks.micrograph_of]]
    return [int(i) for i in np.flatnonzero(np.bincount(groups, minlength=len(picks.pixel_sizes)))]


def _spread(values: Floats, index: np.ndarray | None) -> Floats | float:
    if index is None or (len(values) and (values == values[0]).all()):
        return float(values[0])
    return np.asarray(values[index], np.float64)


def _of_group(picks: Picks, size: PixelSize, chosen_a: float | None, found: list[dict[str, object]], warnings: list[str]) -> float | None:
    of = size.of or "all"
    if size.conflict:
        either = [value for value in (size.value_a, size.conflicting) if value is not None]
        if chosen_a is None or all(abs(chosen_a - value) > TOLERANCE * value for value in either):
            raise InputError(
                kind="contradiction",
                path=picks.label,
                field=size.of or None,
                found=(f"a pixel size of {size.value_a:g} Å in {size.found_in}, but {size.conflict}; coordinates may be in either"),
                expected="one",
                remedy=f"give {CHOSEN}",
            )
    elif size.value_a is not None and not size.uncertain:
        warnings += _compare_chosen(picks.label, size.of, chosen_a, size.value_a, size.found_in)
        found.append({"of": of, "pixel_size_a": size.value_a, "found_in": size.found_in})
        return size.value_a
    if chosen_a is not None:
        found.append({"of": of, "pixel_size_a": chosen_a, "found_in": CHOSEN})
        return chosen_a
    if size.value_a is not None:
        found.append({"of": of, "pixel_size_a": size.value_a, "found_in": size.found_in})
    return size.value_a


def _missing(picks: Picks, size: PixelSize, covered: np.ndarray) -> InputError:
    refused = partial(InputError, kind="missing", path=picks.label)
    if picks.counted_in in ("tomogram", "export"):
        size_of = "the pixel size of the tomogram, or of the exported images, in which the coordinates are counted"
        return refused(found="no pixel size of its coordinates", remedy=f"give {named('pixel_size_a')}: {size_of}")
    if len(picks.position) == 3:
        return refused(
            found="no pixel size of the tilt series", remedy=f"give {named('micrographs', 'tomograms.star')}, or {named('pixel_size_a')}"
        )
    missing = picks.micrographs[int(np.flatnonzero(~covered)[0])].name if covered.any() else None
    of_what = f" for micrograph {missing}, which {named('micrographs')} does not name" if missing else f" for {size.of}" if size.of else ""
    return refused(
        found=f"no micrograph pixel size{of_what}",
        remedy=f"give {named('micrographs', 'micrographs.star')} (or .cs), or {named('pixel_size_a')}",
    )

"""Duplicates among plain arrays of coordinates."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.reading import is_table, refuse_what_is_no_table
from cryodedup.particles.inputs.relion import MICROGRAPH_NAMES
from cryodedup.particles.points import Points
from cryodedup.particles.workflow import find_duplicates


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Holds what :func:`deduplicate` found among n particles, m of which are rejected.

    Attributes
    ----------
    kept
        bool (n,): whether the particle stays.
    rejected
        int64 (m,), ascending: indices of the others.
    duplicate_of
        int64 (m,): for each rejected particle the nearest of the better ones kept within the separation; with ``remove_entirely``
        the nearest other particle within it, the best of several at one distance.
    distances_a
        float64 (m,): the distance between the two, Å.
    """

    kept: NDArray[np.bool_]
    rejected: NDArray[np.int64]
    duplicate_of: NDArray[np.int64]
    distances_a: NDArray[np.float64]

    def __repr__(self) -> str:
        n, rejected = len(self.kept), len(self.rejected)
        return f"Duplicates: {n:,} particles, kept {n - rejected:,}, rejected {rejected:,} (kept, rejected, duplicate_of, distances_a)"


def deduplicate(
    coordinates_a: Any,
    groups: ArrayLike | None = None,
    scores: ArrayLike | None = None,
    min_separation_a: float = 20.0,
    *,
    priority: ArrayLike | None = None,
    remove_entirely: bool = False,
    threads: int | None = None,
) -> Duplicates:
    """Keeps the best of the particles that are too close together.

    Goes through the particles from the best to the worst and keeps each unless a kept one of its group is within the separation. So no two
    kept ones are within it, and every rejected one has a better kept one within it. The result does not depend on the number of threads.

    Parameters
    ----------
    coordinates_a
        (n, 2) or (n, 3), Å; for a separation of 0 any number of columns. Finite. An array, or a DataFrame (pandas, polars, pyarrow) of
        these columns alone. Or a table of particles, as ``starfile.read`` and ``cryosparc.dataset.Dataset.load`` return it; groups and
        scores are then taken from it by the defaults of :func:`cryodedup.deduplicate_particles`, which has more options.
    groups
        (n,), integers or names: only particles of one group (a micrograph, a tomogram) can be duplicates. None: all are of one.
    scores
        (n,), higher is better, NaN is worst; ties by input order. None: earlier is better.
    min_separation_a
        Å, 0 or more; two particles at exactly this distance are duplicates. 0: equal coordinates.
    priority
        (n,), integers of 0 or more that go before the score; lower is better.
    remove_entirely
        Reject every particle that has a duplicate.
    threads
        None or 0: one a processor.

    Raises
    ------
    InputError
        Columns of different lengths, coordinates that are not finite, a negative separation; the text names the row.

    Examples
    --------
    >>> found = deduplicate([[0, 0], [3, 4], [100, 0]], scores=[0.5, 0.9, 0.1], min_separation_a=5)
    >>> found.kept
    array([False,  True,  True])
    >>> found.rejected, found.duplicate_of, found.distances_a
    (array([0]), array([1]), array([5.]))
    """
    if is_table(coordinates_a) and not _is_coordinates(coordinates_a):
        if groups is not None or scores is not None or priority is not None:
            raise InputError(
                kind="parameter",
                field="deduplicate",
                found="groups, scores or priority with a table, which contains them",
                expected="the table alone",
            )
        return _of_table(coordinates_a, min_separation_a, remove_entirely, threads)
    refuse_what_is_no_table(coordinates_a)
    _refuse_other_index(coordinates_a, {"groups": groups, "scores": scores, "priority": priority})
    params = ParticleParams(min_separation_a=min_separation_a, remove_entirely=remove_entirely, threads=threads or 0)
    coordinates = _column(coordinates_a, np.float64, "coordinates_a", 2)
    points = Points(
        coordinates,
        None if groups is None else _group_numbers(groups),
        None if scores is None else _column(scores, np.float64, "scores"),
        None if priority is None else _column(priority, np.uint32, "priority"),
    )
    found = _core.deduplicate(points, float(params.used_separation_a), remove_entirely=params.remove_entirely, threads=params.threads)
    return Duplicates(kept=found.kept, rejected=found.rejected, duplicate_of=found.duplicate_of, distances_a=found.distances)


def _is_coordinates(table: Any) -> bool:
    """Whether a DataFrame has coordinates and nothing else; those of RELION, which are in pixels, are taken as Å, with a warning.

    Raises
    ------
    InputError
        A column of RELION that is no coordinate stands beside them: it would be taken for z.
    """
    names = [str(name) for name in getattr(table, "column_names", getattr(table, "columns", ()))]
    if isinstance(table, Mapping | np.ndarray) or len(names) not in (2, 3) or set(MICROGRAPH_NAMES) & set(names):
        return False
    if len(set(names)) < len(names):
        raise InputError(kind="parameter", field="coordinates_a", found=f"the column {names[0]} twice", expected="x and y, or x, y and z")
    stored = [name for name in names if name.startswith(("rlnCoordinate", "rlnCenteredCoordinate"))]
    if stored and len(stored) < len(names):
        other = next(name for name in names if name not in stored)
        raise InputError(
            kind="parameter", field="coordinates_a", found=f"the column {other} beside {stored[0]}", expected="coordinates alone"
        )
    if stored and not stored[0].endswith("Angst"):
        text = "coordinates_a: rlnCoordinateX, Y, Z are taken as Å; if they are pixels, multiply them by the pixel size"
        warnings.warn(text, stacklevel=3)
    return True


def _refuse_other_index(coordinates: Any, columns: Mapping[str, Any]) -> None:
    """Refuses Series whose index is not that of the coordinates: rows are taken in their order, and these have another."""
    index = getattr(coordinates, "index", None)
    for name, values in columns.items():
        other = getattr(values, "index", None)
        if index is not None and hasattr(index, "equals") and hasattr(other, "equals") and not index.equals(other):
            raise InputError(
                kind="parameter", field=name, found="another index than that of coordinates_a", expected="the same rows in the same order"
            )


def _of_table(table: Any, min_separation_a: float, remove_entirely: bool, threads: int | None) -> Duplicates:
    params = ParticleParams(min_separation_a=min_separation_a, remove_entirely=remove_entirely, threads=threads or 0)
    found = find_duplicates(table, params)
    return Duplicates(kept=found.kept, rejected=found.rejected, duplicate_of=found.duplicate_of, distances_a=found.distances_a)


def _column(values: Any, dtype: Any, name: str, dimensions: int = 1) -> NDArray[Any]:
    if np.ma.isMaskedArray(values):
        raise InputError(kind="parameter", field=name, found="a masked array", expected="one without gaps")
    try:
        found = np.asarray(values)
        if found.dtype.kind not in "biufOUS":
            raise InputError(kind="parameter", field=name, found=f"values of type {found.dtype}", expected="numbers")
        column = np.ascontiguousarray(found, dtype).reshape(found.shape)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(kind="parameter", field=name, reason=str(error)) from None
    if column.ndim != dimensions:
        raise InputError(
            kind="parameter", field=name, found=f"shape {column.shape}", expected="(n, 2) or (n, 3)" if dimensions == 2 else "(n,)"
        )
    if np.issubdtype(dtype, np.integer) and not np.array_equal(column, found):
        raise InputError(kind="parameter", field=name, found=f"numbers that are not integers from 0 to {np.iinfo(dtype).max}")
    return column


def _group_numbers(groups: ArrayLike) -> NDArray[np.uint32]:
    """Dense numbers from 0; integers that are dense already are taken as they are."""
    if np.ma.isMaskedArray(groups):
        raise InputError(kind="parameter", field="groups", found="a masked array", expected="one without gaps")
    try:
        labels = np.asarray(groups)
        if labels.dtype.kind == "O":
            labels = labels.astype(str) if all(isinstance(label, str) for label in labels.flat) else np.asarray(labels.tolist())
    except (TypeError, ValueError) as error:
        raise InputError(kind="parameter", field="groups", reason=str(error)) from None
    if labels.ndim != 1 or labels.dtype.kind not in "biufSU":
        raise InputError(
            kind="parameter", field="groups", found=f"shape {labels.shape} of type {labels.dtype}", expected="(n,) integers or names"
        )
    if labels.dtype == np.uint32 and (not len(labels) or int(labels.max()) < 2 * len(labels) + 1024):
        return np.ascontiguousarray(labels)
    if labels.dtype.kind in "iu" and (not len(labels) or (int(labels.min()) >= 0 and int(labels.max()) < 2 * len(labels) + 1024)):
        return labels.astype(np.uint32)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise InputError(kind="parameter", field="groups", found=f"{labels[~np.isfinite(labels)][0]}", expected="integers or names")
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.uint32)

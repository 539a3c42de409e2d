"""The page about micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cryodedup import _core
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.gallery import FEW_PAIRS, doubtful_and_best
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.self_test import MAX_NAMED
from cryodedup.micrographs.sentences import overlap_range, overlaps, versions
from cryodedup.report.cards import card, short
from cryodedup.report.figure import Figure
from cryodedup.report.figures import hits, shifts, significance
from cryodedup.report.micrograph_text import about_self_test, methods, verdict
from cryodedup.report.page import Page, page

MAX_LISTED = 500
"""Maximum number of rows of a table on the page; the CSV files have all."""


def micrograph_page(result: MicrographOutcome, *, command: str | None, notes: Sequence[str] = ()) -> Page:
    """Makes the page about a result; nothing is written, and the result is not changed.

    Parameters
    ----------
    command
        The command line; None: the job was called from Python.
    notes
        Notes from writing the files.
    """
    return page(
        "micrographs.html.j2",
        _figures(result),
        verdict=verdict(result),
        warnings=[*([f"Withheld: {result.withheld}."] if result.withheld else []), *result.warnings],
        notes=notes,
        version=_core.__version__,
        command=command or "find_duplicate_micrographs(...)",
        parameters=[(name, str(value)) for name, value in result.params.used().items()],
        methods=methods(result),
        sets=_sets(result),
        **_gallery(result),
        **_tables(result),
        **_self_test(result),
    )


def _figures(result: MicrographOutcome) -> list[Figure]:
    """The figures for which there are data."""
    chances, pairs, moves = significance.significance(result), hits.hits(result), shifts.shifts(result)
    return [
        *([significance.draw(chances)] if chances else []),
        *([hits.draw(pairs)] if pairs else []),
        *([shifts.draw(moves)] if moves else []),
    ]


def _gallery(result: MicrographOutcome) -> dict[str, Any]:
    """Pictures of the most doubtful and the best pairs."""
    doubtful, best = doubtful_and_best(result.pairs)
    names = short(result.names)
    shown = len(doubtful) + len(best)
    cards = [[card(result, names, k, small=shown > FEW_PAIRS) for k in kind] for kind in (doubtful, best)]
    return {"doubtful": cards[0], "best": cards[1], "shown": shown}


def _tables(result: MicrographOutcome) -> dict[str, Any]:
    """Tables of pairs, versions, and micrographs to be checked."""
    return {
        "duplicates": [_row(result, pair) for pair in result.duplicates[:MAX_LISTED]],
        "overlaps": [_row(result, pair) for pair in result.overlaps[:MAX_LISTED]],
        "totals": (len(result.pairs), len(result.duplicates), len(result.overlaps)),
        "about_overlaps": overlaps(result) if result.overlaps else "",
        "versions": [(result.names[one.kept], result.names[one.version], one.kind) for one in result.versions[:MAX_LISTED]],
        "about_versions": versions(result) if result.versions else "",
        "n_versions": len(result.versions),
        "unreadable": [(result.names[i], reason) for i, reason in result.unreadable.items()][:MAX_LISTED],
        "n_unreadable": len(result.unreadable),
        "alone": _alone(result),
        "flat": [result.names[i] for i in result.flat][:MAX_LISTED],
        "n_flat": len(result.flat),
    }


def _row(result: MicrographOutcome, pair: Pair) -> tuple[object, ...]:
    return (
        result.names[pair.first],
        result.names[pair.second],
        pair.set or ("both" if result.kept[pair.first] and result.kept[pair.second] else ""),
        round(pair.z, 1),
        float(f"{pair.q:.2g}"),
        round(pair.ccc, 3),
        round(100 * pair.overlap),
        round(pair.shift_px[0]),
        round(pair.shift_px[1]),
        pair.shot_agreement,
    )


def _alone(result: MicrographOutcome) -> list[str]:
    """Micrographs that were compared with no other, since none has the same size."""
    compared = {i for found in result.compared for i in found.members} | set(result.unreadable) | {one.version for one in result.versions}
    return [result.names[i] for i, size in enumerate(result.sizes) if size is not None and i not in compared][:MAX_LISTED]


def _sets(result: MicrographOutcome) -> list[tuple[int, int]]:
    """Sizes of the sets of duplicates, and how many sets have each."""
    sizes, counts = np.unique([len(group) for group in result.groups], return_counts=True)
    return list(zip(sizes.astype(int).tolist(), counts.tolist(), strict=True))


def _self_test(result: MicrographOutcome) -> dict[str, Any]:
    """The results of the self-test."""
    test = result.self_test
    return {
        "about_self_test": about_self_test(test) if test else [],
        "recalls": _recalls(result),
        "false_pairs": test.false_pairs[:MAX_NAMED] if test else (),
    }


def _recalls(result: MicrographOutcome) -> list[tuple[object, ...]]:
    """Rows of overlap, planted, found, recall in per cent, median significance."""
    bands = result.self_test.bands if result.self_test else ()
    return [
        (
            overlap_range(band),
            band.planted,
            band.found,
            "" if band.recall is None else round(100 * band.recall),
            "" if band.median_z is None else round(band.median_z, 1),
        )
        for band in bands
    ]

"""The page about micrographs."""

from __future__ import annotations

from typing import Any

import numpy as np

from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.gallery import doubtful_and_best
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.self_test_score import MAX_NAMED
from cryodedup.micrographs.sentences import overlap_range, overlaps, versions
from cryodedup.report.cards import card, short, when
from cryodedup.report.figure import Figure
from cryodedup.report.figures import hits, shifts, significance
from cryodedup.report.micrograph_text import about_self_test, methods, used_lines, verdict
from cryodedup.report.next_steps import after_micrographs
from cryodedup.report.page import Origin, Page, page, room
from cryodedup.report.rows import Column, LongTable, long_table

NOWHERE = Origin()
MAX_LISTED = 500
"""Maximum number of rows of a table on the page; the CSV files have all."""


def micrograph_page(result: MicrographOutcome, origin: Origin = NOWHERE) -> Page:
    """Makes the page about a result; nothing is written, and the result is not changed.

    Parameters
    ----------
    origin
        When and where it was made, and what was written.
    """
    figures, micrographs = _figures(result), _micrographs(result)
    return page(
        "micrographs.html.j2",
        figures,
        origin,
        verdict=verdict(result),
        warnings=[*([f"Withheld: {result.withheld.text}."] if result.withheld else []), *result.warnings],
        steps=after_micrographs(result, origin),
        notes=origin.notes,
        command=origin.command or "find_duplicate_micrographs(...)",
        parameters=_parameters(result),
        used=used_lines(result),
        methods=methods(result),
        sets=_sets(result),
        removed="would be removed" if result.withheld else "removed",
        micrographs=micrographs,
        frame="micrograph",
        **_gallery(result, room(figures, micrographs.data)),
        **_tables(result),
        **_self_test(result),
    )


def _parameters(result: MicrographOutcome) -> list[tuple[str, str, str]]:
    """Each parameter, its value, and what was used where the value leaves it open."""
    used = {"order": result.order_rule, "max_shift": "up to where a tenth of the frame overlaps"}
    given = result.params.used()
    return [(name, str(value), used.get(name, str(value)) if value in ("auto", None) else str(value)) for name, value in given.items()]


def _micrographs(result: MicrographOutcome) -> LongTable:
    """All micrographs and what became of each: the sets first, then what else was removed, the others in the order of exposure."""
    states, of = _states(result)
    order = sorted(result.order, key=lambda i: (of[i] or len(states) + 1, bool(result.kept[i])))
    names = result.names
    columns = [
        Column("result", [states[i] for i in order], number=False),
        Column("set", [of[i] or "" for i in order]),
        Column("taken", [when(result.exposures.acquisitions[i]) for i in order], number=False),
    ]
    return long_table("micrograph", [names[i] for i in order], columns, "micrographs.csv")


def _states(result: MicrographOutcome) -> tuple[list[str], list[int]]:
    """Returns what became of each micrograph, or would have, and the number of its set, or 0."""
    would = "would be " if result.withheld else ""
    states = ["kept" if kept else f"{would}removed" for kept in result.kept]
    of = [0] * len(states)
    for number, members in enumerate(result.groups, start=1):
        for i in members:
            of[i] = number
            states[i] = "kept, has duplicates" if result.kept[i] else f"{would}removed, duplicate"
    for one in result.versions:
        states[one.version] = f"{would}removed, {one.kind}"
    for i in result.unreadable:
        states[i] = "kept, not compared"
    return states, of


def _figures(result: MicrographOutcome) -> list[Figure]:
    """The figures for which there are data."""
    chances, pairs, moves = significance.significance(result), hits.hits(result), shifts.shifts(result)
    return [
        *([significance.draw(chances)] if chances else []),
        *([hits.draw(pairs)] if pairs else []),
        *([shifts.draw(moves)] if moves else []),
    ]


def _gallery(result: MicrographOutcome, room: int) -> dict[str, Any]:
    """Pictures of the most doubtful and the best pairs, of about so many bytes."""
    doubtful, best = doubtful_and_best(result.pairs)
    names = short(result.names)
    shown = len(doubtful) + len(best)
    cards = [[card(result, names, k, room / shown) for k in kind] for kind in (doubtful, best)]
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

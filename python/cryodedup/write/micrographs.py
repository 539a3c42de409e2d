"""Writing a result among micrographs."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from cryodedup.errors import naming
from cryodedup.formats.output import NOT_WRITTEN, Destination, Written
from cryodedup.micrographs.listings import write_listings
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.summary import SCHEMA, summarise
from cryodedup.names import Spell, as_parameters
from cryodedup.progress import SILENT
from cryodedup.report.page import Origin
from cryodedup.write.job import Delivered, Job, deliver

CHOSEN = re.compile(r"micrographs_(kept|removed)(_passthrough\d*)?\.\w+")
"""What is withheld, where a limit is passed."""
OUTPUTS = re.compile(rf"{CHOSEN.pattern}|(duplicates|overlaps|versions|ccc)\.csv|summary\.json")


def write_micrographs(
    found: MicrographOutcome,
    directory: Path,
    *,
    overwrite: bool = False,
    report: bool = True,
    command: str | None = None,
    spell: Spell = as_parameters,
) -> Delivered:
    """Writes the listings, the kept and the removed micrographs, ``summary.json`` and the page; see :mod:`cryodedup.write.particles`.

    Of a result that is withheld the kept and the removed micrographs are not written, and those of an earlier run go.
    """
    exposures = found.exposures
    job = Job(
        schema=SCHEMA,
        inputs=frozenset(Path(os.path.realpath(path)) for path in (*exposures.paths, *exposures.output.files)),
        spell=spell,
        rows=lambda staging: _rows(found, staging, directory),
        listings=lambda staging: write_listings(found, staging),
        page=(lambda staging, written: _page(found, staging, replace(Origin.now(command, directory, written.outputs), spell=spell)))
        if report
        else None,
        summary=lambda written: summarise(found, written),
        leaving=CHOSEN if found.withheld else None,
    )
    return deliver(job, directory, overwrite)


def _rows(found: MicrographOutcome, staging: Path, directory: Path) -> Written:
    if found.withheld:
        return NOT_WRITTEN
    found.exposures.output.write(Destination(staging, directory, ("kept", "removed")), "micrographs", found.kept, [], SILENT)
    removed = "".join(f"{name}\n" for name, kept in zip(found.names, found.kept, strict=True) if not kept)
    path = staging / "micrographs_removed.txt"
    with naming(path):
        path.write_text(removed, "utf-8", "surrogateescape")
    return NOT_WRITTEN


def _page(found: MicrographOutcome, staging: Path, origin: Origin) -> tuple[str, ...]:
    from cryodedup.report.micrograph_page import micrograph_page
    from cryodedup.report.page import write_page

    return tuple(write_page(lambda: micrograph_page(found, origin), staging))

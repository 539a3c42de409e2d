"""``summary.json`` of a job among micrographs."""

from __future__ import annotations

import os
from typing import Any

from cryodedup import _core
from cryodedup.formats.output import Written
from cryodedup.micrographs.result import MicrographOutcome

SCHEMA = "cryodedup.micrographs/1"


def summarise(found: MicrographOutcome, written: Written) -> dict[str, Any]:
    """Returns what ``summary.json`` holds; ``schema`` names its version."""
    names = found.names
    overlaps = found.kept_overlaps
    return {
        "schema": SCHEMA,
        "cryodedup": _core.__version__,
        "withheld": found.withheld.text if found.withheld else None,
        "parameters": found.params.used(),
        "input": found.exposures.label,
        "looked_up_from": os.path.realpath(found.exposures.base),
        "micrographs": len(found.kept),
        "compared": sum(len(compared.members) for compared in found.compared),
        "kept": int(found.kept.sum()),
        "removed": int((~found.kept).sum()),
        "versions": {"removed": len(found.versions), "kinds": found.kinds},
        "pairs": len(found.pairs),
        "overlaps": {
            "pairs": len(found.overlaps),
            "between_kept": len(overlaps),
            "shared_frames_between_kept": round(sum(pair.overlap for pair in overlaps), 3),
        },
        "sets": [[names[i] for i in members] for members in found.groups],
        "order": found.order_rule,
        "unreadable": [{"micrograph": names[i], "reason": text} for i, text in found.unreadable.items()],
        "masked": [{"micrograph": names[i], "pixels": count} for i, count in found.masked.items()],
        "flat": [names[i] for i in found.flat],
        "sizes": [
            {
                "reduced": list(compared.size),
                "micrographs": len(compared.members),
                "screening": compared.screening,
                "null": _null(compared.null),
                "matching_mirrored": [[names[i], names[j], change] for i, j, change in compared.mirrored],
                "at_zero_shift_not_counted": [[names[i], names[j]] for i, j in compared.of_pattern],
            }
            for compared in found.compared
        ],
        "tilts": found.tilts.summary(),
        "self_test": found.self_test.summary() if found.self_test else None,
        "outputs": list(written.outputs),
        "warnings": list(found.warnings),
        "forecast": found.forecast and found.forecast.summary(),
        "peak_memory_gb": round(found.peak_memory_gb, 2),
        "times_s": {stage: round(seconds, 3) for stage, seconds in {**found.times_s, **written.times_s}.items()},
    }


def _null(null: _core.Null) -> dict[str, float | None]:
    return {
        "start_z": round(null.mirrored.start, 3),
        "scale_z": round(null.mirrored.scale, 3),
        "rate": null.mirrored.rate,
        "cohort_middle_z": round(null.cohort.middle, 3) if null.cohort else None,
        "cohort_spread_z": round(null.cohort.spread, 3) if null.cohort else None,
        "periodic_share": round(null.periodic, 4),
    }

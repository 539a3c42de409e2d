"""The whole job: read, compare, decide."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.micrographs import acquisition
from cryodedup.micrographs.classes import class_warnings, comparable, pixel_sizes_a
from cryodedup.micrographs.compare import Compared, Told, compare
from cryodedup.micrographs.decide import Decision, decide, ranking, withhold
from cryodedup.micrographs.exposures import Exposures, open_exposures
from cryodedup.micrographs.forecast import MIN_SAID_S, forecast, peak_memory_gb
from cryodedup.micrographs.gallery import doubtful_and_best, thumbnails
from cryodedup.micrographs.reading import CACHE, Reading, locked, masked_warning, move_other_file, open_headers
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.self_test import self_test
from cryodedup.micrographs.tilt import tilts_of
from cryodedup.micrographs.versions import Version, at_one_place, find_versions, joined, not_versions, without_versions
from cryodedup.params import MicrographParams, checked
from cryodedup.progress import SILENT
from cryodedup.progress import Progress as Listener

_FLAT = 0.25
"""A frame of less than this share of the session's usual signal is called flat."""
_MANY = 6
"""Sets of more micrographs are warned about."""
_FEW_STILL = 8
_STILL = 1
"""Pairs at a shift of at most so many reduced pixels are warned about where they are more than a few, and a fifth of all."""
_PERIODIC = 0.02
"""A larger share of pairs that match at several shifts is warned about."""
_SMOOTH = 0.005
"""Where the finest detail has a smaller share of the power of coarse detail, the noise was smoothed away."""
_SMALL = 300 * 200
"""Reduced micrographs of fewer pixels are warned about."""


def find_duplicates(
    micrographs: str | PathLike[str] | Sequence[str | PathLike[str]],
    params: MicrographParams | None = None,
    *,
    cache: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: Listener = SILENT,
) -> MicrographOutcome:
    """Finds micrographs that show the same hole; see :func:`cryodedup.find_duplicate_micrographs`."""
    note, heard, stages = progress.note, progress.advance_to, [""]

    def say(stage: str) -> None:
        stages.append(stage)
        progress.stage(stage)

    def expect(total: int) -> None:
        progress.stage(stages[-1], total)

    params = checked(params)
    several = _paths(micrographs)
    started = time.perf_counter()
    say("opening")
    exposures = open_exposures(several, params.threads)
    if params.keep == "best-ctf" and exposures.ctf_a is None:
        raise InputError(f"{exposures.label}: found no rlnCtfMaxResolution or ctf_stats/ctf_fit_to_A, expected it for --keep best-ctf")
    order, rule = acquisition.sort(exposures.names, exposures.acquisitions, params.order)
    images, unreadable = open_headers(exposures, params.bin)
    with ExitStack() as stack:
        place = Path(cache) if cache is not None else Path(stack.enter_context(TemporaryDirectory(prefix="cryodedup-"))) / CACHE
        stack.enter_context(locked(place))
        moved = move_other_file(place)
        say("reading")
        expect(sum(image.bytes for image in images.values()))
        # Read, and compared, in the order of exposure: the result does not depend on that of the input.
        readable = [i for i in order if i in images]
        reading = Reading(readable, images, params, place, resume, heard)
        known_a = pixel_sizes_a(exposures, images)
        expected = forecast(reading, place, [len(members) for members in comparable(readable, images, known_a)], params)
        if expected is not None and expected.seconds >= MIN_SAID_S:
            note(str(expected))
        reading.read(reading.waiting)
        records = reading.records
        read = time.perf_counter()
        rank = ranking(order, exposures.ctf_a if params.keep == "best-ctf" else None).tolist()
        versions, refused = find_versions(images, records, place, rank)
        # A version has no place of its own in the order of exposure.
        once = without_versions(order, versions)
        at = {i: k for k, i in enumerate(once)}
        classes = comparable((i for i in readable if i in at and i in records), images, known_a)
        told = Told(say, expect, heard)
        tilts = tilts_of(exposures.acquisitions, params.tilt_axis_deg)
        compared = [
            compare(
                place,
                members,
                [records[i] for i in members],
                [at[i] for i in members],
                exposures.acquisitions,
                params,
                told,
                tilts.of(members),
            )
            for members in classes
            if len(members) > 1
        ]
        pairs = [pair for found in compared for pair in found.pairs]
        versions = joined(versions, at_one_place(pairs, exposures.paths, rank, params.bin))
        once = without_versions(order, versions)
        among = set(once)
        decision = decide([pair for pair in pairs if {pair.first, pair.second} <= among], rank, params.least_overlap)
        shown = [decision.pairs[k] for kind in doubtful_and_best(decision.pairs) for k in kind]
        pictures = thumbnails(place, records, shown)
        decided = time.perf_counter()
        tested = self_test(place, compared, records, at, exposures, tilts, params, told) if params.self_test else None
    all_unreadable = dict(sorted({**unreadable, **reading.unreadable}.items()))
    masked = dict(sorted(reading.masked.items()))
    warnings = class_warnings(exposures.names, classes, images, known_a) + masked_warning(exposures.names, masked, images)
    warnings += tilts.warnings() + _warnings(exposures, params, compared, decision, all_unreadable)
    warnings += not_versions(exposures.names, refused)
    if moved:
        warnings.insert(0, f"{place}: found another file, or one damaged from its first byte on; moved to {moved}")
    elif reading.damaged:
        warnings.insert(0, f"{place}: was damaged; what was lost was read again")
    return MicrographOutcome(
        params=params,
        exposures=exposures,
        order=list(order),
        order_rule=rule,
        pairs=decision.pairs,
        groups=decision.sets,
        kept=_with_versions(decision.kept, versions),
        versions=versions,
        withheld=withhold(decision, len(once), params),
        compared=compared,
        tilts=tilts,
        warnings=warnings,
        unreadable=all_unreadable,
        masked=masked,
        flat=_flat(compared),
        sizes=[(images[i].nx, images[i].ny) if i in images else None for i in range(len(exposures))],
        pixel_sizes_a=[known_a[i] or images[i].pixel_size_a if i in images else None for i in range(len(exposures))],
        forecast=expected,
        peak_memory_gb=peak_memory_gb(),
        thumbnails=pictures,
        self_test=tested,
        times_s={"reading": read - started, "comparing": decided - read}
        | ({"self-test": time.perf_counter() - decided} if params.self_test else {}),
    )


def _paths(micrographs: object) -> list[Path]:
    alone = isinstance(micrographs, str | PathLike) or not isinstance(micrographs, Iterable)
    several: list[Any] = [micrographs] if alone else list(micrographs)  # type: ignore[call-overload]
    wrong = [item for item in several if not (isinstance(item, str | PathLike) and str(item))]
    if wrong:
        raise InputError(f"micrographs: found {wrong[0]!r}, expected a path or several")
    return [Path(item) for item in several]


def _with_versions(kept: NDArray[np.bool_], versions: Sequence[Version]) -> NDArray[np.bool_]:
    """What stays of the micrographs, all versions removed."""
    stays = kept.copy()
    stays[[one.version for one in versions]] = False
    return stays


def _flat(compared: Iterable[Compared]) -> list[int]:
    """Micrographs of hardly any signal: no specimen, or no beam to speak of."""
    flat: list[int] = []
    for found in compared:
        usual = float(np.median(found.signal))
        flat += [found.members[i] for i in np.flatnonzero(found.signal < _FLAT * usual)]
    return sorted(flat)


def _warnings(
    exposures: Exposures,
    params: MicrographParams,
    compared: Sequence[Compared],
    decision: Decision,
    unreadable: Mapping[int, str],
) -> list[str]:
    warnings = []
    for found in compared:
        if found.size[0] * found.size[1] < _SMALL:
            warnings.append(
                f"{len(found.members):,} micrographs reduced to {found.size[0]} x {found.size[1]} pixels: so few tell little, and some"
                " pairs may be false; a smaller --bin keeps more"
            )
        if found.coarse_noise < _SMOOTH:
            warnings.append(
                f"{len(found.members):,} micrographs have hardly any noise in their finest detail, as if low-pass filtered or denoised:"
                " duplicates may be missed; expected motion-corrected micrographs as they are"
            )
        if (at_zero := found.screening.get("median_z_at_zero_shift", 0.0)) > 4:
            warnings.append(
                f"{len(found.members)} micrographs, too few to take the camera's fixed pattern out, correlate at zero shift (median z"
                f" {at_zero:.1f}): that is taken to be the pattern"
            )
        if found.null.periodic > _PERIODIC:
            warnings.append(
                f"{100 * found.null.periodic:.0f} % of unrelated pairs match at several shifts, as lattices do: pairs then need a higher z,"
                " and faint duplicates may be missed"
            )
        recalls = found.screening.get("predicted_recall_at_overlap_0.3", {})
        if recalls and recalls.get(str(found.screening["group_size"]), 1.0) < 0.99:
            size = found.screening["group_size"]
            why = f"groups of {size}" if size > 1 else "dim micrographs"
            warnings.append(f"{why}: screening is predicted to find {100 * recalls[str(size)]:.0f} % of those that overlap by 0.3")
    if compared and not any(found.tested for found in compared):
        warnings.append("the window holds no pair: --images-per-move is above --scan-range, or there are too few micrographs")
    largest = max(map(len, decision.sets), default=0)
    if largest > _MANY:
        warnings.append(
            f"one set holds {largest} micrographs, but hardly is a hole imaged so often: do many show something else in one place, as the"
            " edge of the beam? Look at a few before they are removed"
        )
    if params.keep == "best-ctf" and exposures.ctf_a is not None:
        unknown = int((~np.isfinite(exposures.ctf_a) | (exposures.ctf_a <= 0)).sum())
        if unknown:
            warnings.append(f"{unknown:,} of {len(exposures):,} micrographs have no fitted CTF resolution: within a set the others stay")
    still = sum(max(map(abs, pair.shift_px)) <= _STILL * params.bin for pair in decision.pairs)
    if still > max(_FEW_STILL, len(decision.pairs) / 5):
        warnings.append(
            f"{still:,} of {len(decision.pairs):,} pairs lie on each other without a shift: are there copies of one exposure, or is it the"
            " pattern of a gain reference that few micrographs share? Look at a few before they are removed"
        )
    if exposures.also is not None:
        warnings.append(f"names are looked up from {os.path.realpath(exposures.base)}, but all are found from {exposures.also}, too")
    contradicted = sum(pair.pattern == "contradicted" for pair in decision.pairs)
    if contradicted:
        warnings.append(
            f"the other shots of the same holes contradict {contradicted:,} of {len(decision.pairs):,} pairs, which count nevertheless:"
            " look at them (column pattern)"
        )
    if unreadable:
        first = next(iter(unreadable))
        warnings.append(
            f"{len(unreadable):,} of {len(exposures):,} micrographs could not be used, and stay: {exposures.names[first]}:"
            f" {unreadable[first]}" + (" (and others, see summary.json)" if len(unreadable) > 1 else "")
        )
    return warnings

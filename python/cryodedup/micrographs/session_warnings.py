"""What a user has to know of a result before micrographs are removed: each warning says what was seen, what it means, what to do."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cryodedup import _core
from cryodedup.formats.image_names import SPECTRUM
from cryodedup.micrographs.compare import Compared, Pair
from cryodedup.micrographs.decide import Decision
from cryodedup.micrographs.exposures import Exposures
from cryodedup.names import named
from cryodedup.params import MicrographParams
from cryodedup.text import count

_MANY = 6
"""There is a warning about a set of more micrographs."""
_PERIODIC = 0.02
"""There is a warning if a larger share of unrelated pairs matches at several shifts."""
_SMOOTH = 0.005
"""If the share of noise in the power at high resolution is smaller, the noise was smoothed away."""
_SMALL = 300 * 200
"""There is a warning about reduced micrographs of so many pixels or fewer."""
_FIXED_PATTERN_Z = 4.0
"""A larger median z at zero shift is reported."""
_RECALL = 0.99
"""There is a warning if the predicted recall of the screening is smaller."""


def warnings_of(
    exposures: Exposures, params: MicrographParams, compared: Sequence[Compared], decision: Decision, unreadable: Mapping[int, str]
) -> list[str]:
    """All warnings, in the order in which they are shown."""
    several = (
        *(text for found in compared for text in _of_class(found, exposures.names)),
        *_of_window(compared),
        *_of_large_sets(decision),
        *_of_unknown_ctf(exposures, params),
        *_of_still_pairs(decision.pairs, params),
        *_of_orientations(decision.pairs),
        *_of_two_bases(exposures),
        *_of_contradicted(decision.pairs),
        *_of_unreadable(exposures, unreadable),
        *_of_spectra(exposures),
    )
    return list(several)


def _of_spectra(exposures: Exposures) -> Iterator[str]:
    if n := exposures.spectra:
        yield (
            f"{count(n, 'file')} whose {'name ends' if n == 1 else 'names end'} in {SPECTRUM} {'was' if n == 1 else 'were'} left out:"
            " RELION's motion correction gives such names to power spectra; if these are micrographs, give a table of them, or a pattern"
            " that matches only these files"
        )


def of_small_images(width: int, height: int) -> str | None:
    """A warning, if reduced micrographs are small."""
    if width * height > _SMALL:
        return None
    return (
        f"the micrographs have only {width} x {height} pixels after binning: such small images contain little information, and some pairs"
        f" may be false; choose a smaller {named('bin')}"
    )


def _of_class(found: Compared, names: Sequence[str]) -> Iterator[str]:
    if small := of_small_images(*found.size):
        yield small
    if found.coarse_noise < _SMOOTH:
        yield (
            f"{len(found.members):,} micrographs have hardly any noise at high resolution, as after low-pass filtering or denoising:"
            " duplicates may be missed; give unfiltered motion-corrected micrographs"
        )
    if (at_zero := found.screening.get("median_z_at_zero_shift", 0.0)) > _FIXED_PATTERN_Z:
        yield (
            f"{len(found.members)} micrographs correlate at zero shift (median z {at_zero:.1f}), but are too few to subtract the camera's"
            " fixed pattern: this correlation is attributed to the pattern, and duplicates at zero shift may be missed; give more"
            " micrographs of the session"
        )
    if found.show_one_area:
        yield (
            f"all {count(len(found.members), 'micrograph')}, or many consecutive ones, seem to show the same area: what they have in common"
            " is taken for the camera's fixed pattern and subtracted, so duplicates among them are missed; compare some by eye, and keep"
            " only one if they show the same area"
        )
    else:
        yield from _of_null(found.null)
    if n := len(found.mirrored):
        one, other, change = found.mirrored[0]
        yield (
            f"at least {count(n, 'pair')} of micrographs {'matches' if n == 1 else 'match'} only if one micrograph is flipped or rotated"
            f" (the first: {names[one]}, {change}, and {names[other]}): the files store images in different orientations, and such"
            f" duplicates are missed; import all micrographs with the same orientation, or add {named('search_flips')}"
        )
    if n := len(found.of_pattern):
        first, second = (names[i] for i in found.of_pattern[0])
        yield (
            f"{count(n, 'pair')} with a match at zero shift {'is' if n == 1 else 'are'} not counted as duplicates (the first: {first} and"
            f" {second}): these micrographs share a pattern of the camera, such as that of another gain reference, and the match does not"
            " show whether they also share an area; compare them by eye (at_zero_shift_not_counted in summary.json)"
        )
    recalls = found.screening.get("predicted_recall_at_overlap_0.3", {})
    size = found.screening.get("group_size", 1)
    if recalls and (recall := recalls.get(str(size), 1.0)) < _RECALL:
        why = f"screening in groups of {size}" if size > 1 else "the micrographs have little signal: screening"
        better = f"; add {named('sensitivity', 'full')} to find more" if recalls.get("1", 0.0) > recall else ""
        yield f"{why} is predicted to find only {100 * recall:.0f} % of the pairs that share 30 % of the frame{better}"


def _of_null(null: _core.Null) -> Iterator[str]:
    cohort = null.cohort
    if cohort and not null.is_usual:
        if null.mirrored.start > max(cohort.middle, _core.USUAL_MIDDLE_Z):
            cause = "they also match when one is mirrored, as micrographs with a few large objects do"
        elif cohort.spread > cohort.middle:
            cause = "many micrographs may show the same area"
        else:
            cause = "all micrographs may share a pattern that moves, such as an edge of the camera, or show the same area"
        yield (
            f"unrelated pairs match better than usual (median z {cohort.middle:.1f} and spread {cohort.spread:.1f}; usual are 3.5 and 0.3):"
            f" {cause}; only duplicates with a much higher z are found, so compare some micrographs by eye"
        )
    elif null.periodic > _PERIODIC:
        yield (
            f"{100 * null.periodic:.0f} % of unrelated pairs match at several shifts, as crystal lattices or alike particles do: pairs"
            " need a higher z, and weak duplicates may be missed; check the pairs with the lowest z on the page"
        )


def _of_window(compared: Sequence[Compared]) -> Iterator[str]:
    if compared and not any(found.tested for found in compared):
        yield (
            f"no pair of micrographs lies within the window, so nothing was compared: {named('images_per_move')} is larger than"
            f" {named('scan_range')}, or"
            f" there are too few micrographs; change these options, or use {named('search', 'all')}"
        )


def _of_large_sets(decision: Decision) -> Iterator[str]:
    largest = max(map(len, decision.sets), default=0)
    if largest > _MANY:
        yield (
            f"one set holds {largest} micrographs, but a hole is rarely imaged that often: they may share something else, such as the edge"
            " of the beam; look at some of them before you remove any"
        )


def _of_unknown_ctf(exposures: Exposures, params: MicrographParams) -> Iterator[str]:
    if params.keep != "best-ctf" or exposures.ctf_a is None:
        return
    unknown = int((~np.isfinite(exposures.ctf_a) | (exposures.ctf_a <= 0)).sum())
    if unknown:
        have = "has" if unknown == 1 else "have"
        yield (
            f"{unknown:,} of {len(exposures):,} micrographs {have} no CTF resolution: in each set, micrographs that have one are preferred"
        )


def _of_still_pairs(pairs: Sequence[Pair], params: MicrographParams) -> Iterator[str]:
    least_px = _core.NEAR_ZERO_PX * params.bin
    still = sum(max(map(abs, pair.shift_px)) <= least_px for pair in pairs)
    if still:
        yield (
            f"{still:,} of {len(pairs):,} pairs have a shift of {least_px:g} px or less: the stage did not move between these exposures,"
            " as in a focal pair or a dose series, or they are copies of one exposure; look at some of them before you remove any"
        )


def _of_orientations(pairs: Sequence[Pair]) -> Iterator[str]:
    changed = Counter(pair.orientation for pair in pairs if pair.orientation)
    if changed:
        each = ", ".join(f"{words}: {number:,}" for words, number in changed.most_common())
        yield (
            f"{changed.total():,} of {len(pairs):,} pairs match only if the second micrograph is flipped or rotated ({each}): the files"
            " store images in different orientations; bring all micrographs to the same orientation before you use their particles together"
        )


def _of_two_bases(exposures: Exposures) -> Iterator[str]:
    if exposures.also is not None:
        yield (
            f"image names are relative to {os.path.realpath(exposures.base)}, but all files also exist in {exposures.also}; check that"
            " the first directory is the right one"
        )


def _of_contradicted(pairs: Sequence[Pair]) -> Iterator[str]:
    contradicted = sum(pair.shot_agreement == "contradicted" for pair in pairs)
    if contradicted:
        yield (
            f"{contradicted:,} of {len(pairs):,} pairs {'is' if contradicted == 1 else 'are'} contradicted by the other shots of the same"
            f" holes, but still counted: check {'it' if contradicted == 1 else 'them'} on the page (column shot_agreement in"
            " duplicates.csv)"
        )


def _of_unreadable(exposures: Exposures, unreadable: Mapping[int, str]) -> Iterator[str]:
    if unreadable:
        first = next(iter(unreadable))
        yield (
            f"{len(unreadable):,} of {len(exposures):,} micrographs could not be used and {'is' if len(unreadable) == 1 else 'are'} kept"
            f" without comparison: {exposures.names[first]}:"
            f" {unreadable[first]}" + (" (for the others see summary.json)" if len(unreadable) > 1 else "")
        )

"""Sentences about a result that the terminal and the page have in common."""

from __future__ import annotations

from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.self_test_score import Band, SelfTest
from cryodedup.text import count

FALSE_NAMED = 3
"""Number of false pairs of the self-test that are named."""


def kinds(result: MicrographOutcome) -> str:
    """The number of versions of each kind."""
    return ", ".join(f"{number:,} {kind}" for kind, number in result.kinds.items())


def versions(result: MicrographOutcome) -> str:
    """How many versions there are, of which kinds."""
    exposures = count(len({one.kept for one in result.versions}), "exposure")
    return (
        f"{count(len(result.versions), 'micrograph')} removed as further versions of {exposures} ({kinds(result)}; versions.csv): one"
        " version of each exposure is compared"
    )


def overlaps(result: MicrographOutcome) -> str:
    """How many pairs share too little to be removed, and what that means for the particles."""
    smallest = f"{100 * result.params.least_overlap:g} %"
    total = f"{count(len(result.overlaps), 'pair')} {'share' if len(result.overlaps) != 1 else 'shares'} less than {smallest} of the frame"
    both = result.kept_overlaps
    if not both:
        return f"{total} (overlaps.csv); no two kept micrographs were found to share an area"
    shares = sorted(round(100 * pair.overlap) for pair in both)
    reach = f"{shares[0]} %" if shares[0] == shares[-1] else f"{shares[0]} to {shares[-1]} %"
    return (
        f"{total} (overlaps.csv). In {len(both):,} of these pairs both micrographs are kept and share {reach} of the frame. Particles in"
        " the shared area are picked twice; cryodedup particles cannot detect this, since it compares particles within each micrograph only"
    )


def tilts(result: MicrographOutcome) -> str:
    """How stage tilts were matched before the comparison; empty if all micrographs have the same tilt."""
    tilts = result.tilts
    if not tilts.maps or tilts.usual_deg is None or tilts.axis_deg is None:
        return ""
    were, they = ("was", "it was") if len(tilts.maps) == 1 else ("were", "they were")
    return (
        f"{count(len(tilts.maps), 'micrograph')} {were} taken at another stage tilt; {they} resampled to match the most common one,"
        f" {tilts.usual_deg:.0f} degrees (tilt axis {tilts.axis_deg:.1f} degrees counterclockwise from y)"
    )


def self_test(test: SelfTest) -> str:
    """How many planted second exposures were found."""
    if test.reason:
        return f"self-test: {test.reason}"
    recalls = ", ".join(f"{band.found:,} of {band.planted:,} with {overlap_range(band)}" for band in test.bands if band.planted)
    rounds = f" in {test.rounds} rounds" if test.rounds > 1 else ""
    text = (
        f"self-test: {count(test.planted, 'second exposure')} planted among {count(test.micrographs, 'micrograph')}{rounds}; found, by"
        f" overlap: {recalls}; {count(len(test.false_pairs) - test.own_false, 'false pair')}, {count(test.removed_wrongly, 'micrograph')}"
        f" wrongly removed. {strength(test)}"
    )
    if test.false_pairs:
        examples = "; ".join(" = ".join(names) for names in test.false_pairs[:FALSE_NAMED])
        text += f". Accepted, but not planted: {examples}{'; ...' if len(test.false_pairs) > FALSE_NAMED else ''}"
    if test.own_false:
        text += f" ({count(test.own_false, 'pair')} of the session itself: false, or missed by the search)"
    return text


def strength(test: SelfTest) -> str:
    """Says how strong the planted exposures were."""
    if test.measured_on:
        return f"Planted exposures are as strong as the {test.measured_on:,} pairs of this session"
    return (
        f"Planted exposures have {100 * test.damage:.0f} % of the correlation of undamaged ones; the self-test cannot tell whether real"
        " ones have as much, since this session has too few second visits"
    )


def overlap_range(band: Band) -> str:
    """A range of overlaps, as shares of the frame."""
    low, high = band.overlap
    return f"≥ {low:g}" if high == 1 else f"{low:g} to {high:g}"

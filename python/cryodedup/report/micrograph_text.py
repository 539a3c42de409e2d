"""What the page about micrographs says in sentences."""

from __future__ import annotations

from cryodedup import _core
from cryodedup.micrographs.compare import DOUBTFUL_Z
from cryodedup.micrographs.result import MicrographResult
from cryodedup.micrographs.self_test import SelfTest
from cryodedup.micrographs.sentences import kinds, overlaps, tilts
from cryodedup.report.cards import when
from cryodedup.words import count


def verdict(result: MicrographResult) -> str:
    """How many micrographs, how many duplicates in how many sets, how many versions, and when the duplicates were taken."""
    n, kept = len(result.kept), int(result.kept.sum())
    duplicates = n - kept - len(result.versions)
    if kept == n:
        return f"No duplicates among {count(n, 'micrograph')}." + (f" {overlaps(result)}." if result.overlaps else "")
    would = "would be " if result.withheld else ""
    removed = []
    if duplicates:
        removed.append(f"{duplicates:,} {would}removed, since others show the same ({count(len(result.groups), 'set')})")
    if result.versions:
        removed.append(f"{len(result.versions):,} {would}removed as versions of an exposure that another one shows ({kinds(result)})")
    text = f"{count(n, 'micrograph')}: {kept:,} {would}kept, {', '.join(removed)}."
    times = _times(result)
    if times and all(times):
        text += f" The duplicates were taken {f'between {times[0]} and {times[-1]}' if len(times) > 1 else times[0]}."
    return text


def _times(result: MicrographResult) -> list[str]:
    """When those were taken that are removed as duplicates, in the order of exposure."""
    removed = {i for group in result.groups for i in group if not result.kept[i]}
    return [when(result.exposures.acquisitions[i]) for i in result.order if i in removed]


def methods(result: MicrographResult) -> str:
    """A paragraph for a paper."""
    params = result.params
    pairs = sum(found.tested for found in result.compared)
    compared = sum(len(found.members) for found in result.compared)
    rule = f"a false-discovery rate of {params.fdr:g}"
    if params.threshold is not None:
        rule = f"a correlation coefficient of {params.threshold:g}"
        rule += f" and a significance of {DOUBTFUL_Z:g}" if params.search == "all" else ""
    first = {"time": "the earliest", "name": "the first by name", "natural": "the first by name"}.get(result.order_rule, "the first")
    kept = first if params.keep == "earliest" else "the one of the best CTF fit"
    looked = "all pairs" if params.search == "all" else "the pairs of a window"
    shifts = "all shifts" if params.max_shift is None else f"shifts of up to {params.max_shift:g} pixels"
    mirrored = params.threshold is None and any(found.decoys_tested for found in result.compared)
    by = ", from mirrored and from unrelated micrographs of the session and from other shots of the same holes" if mirrored else ""
    freed = any(len(found.members) >= _core.MIN_FOR_FIXED_PATTERN for found in result.compared)
    pattern = " and freed of the camera's fixed pattern" if freed else ""
    removed = count(sum(len(group) - 1 for group in result.groups), "micrograph")
    outcome = (
        f"{kept} of each of {count(len(result.groups), 'set')} was kept, and {removed} removed"
        if result.groups
        else "no duplicate was found"
    )
    further = ""
    if params.least_overlap and result.groups:
        further += f" Each removed one shares at least {100 * params.least_overlap:g} % of the frame with a kept one."
    if result.overlaps:
        less = f"less than {100 * params.least_overlap:g} %"
        further += (
            f" {count(len(result.overlaps), 'pair')} that {'shares' if len(result.overlaps) == 1 else 'share'} {less} of the frame stayed."
        )
    if told := tilts(result):
        further += f" Before, {told}."
    if result.versions:
        further += f" Before the comparison all but one version of each exposure were removed ({kinds(result)})."
    return (
        f"Micrographs that show the same area were found with cryodedup {_core.__version__}: {looked} ({pairs:,}) of {compared:,}"
        f" micrographs, binned {params.bin} times, whitened{pattern}, were cross-correlated at {shifts}. Pairs were accepted at {rule}{by};"
        f" {outcome}.{further}"
    )


def about_self_test(test: SelfTest) -> list[str]:
    """What was planted and what it shows, in paragraphs."""
    if test.reason:
        return [f"Nothing was planted: {test.reason}."]
    alone = "all shots of a hole together" if test.by_hole else "each alone, since names show no holes"
    several = f" in {test.rounds} rounds" if test.rounds > 1 else ""
    first = (
        f"{count(test.planted, 'second exposure')} planted among {count(test.micrographs, 'micrograph')} of this session{several}, {alone}."
        " Each is a micrograph of the session that was shifted, weakened to the share of signal in each ring of its spectrum, damaged, and"
        " mixed with another micrograph, in whose place it was searched. The same search and decision ran on them."
    )
    rate = f" at a false-discovery rate of {test.fdr:.2g}" if test.fdr is not None else ""
    second = (
        f"Accepted{rate} without being planted: {count(len(test.false_pairs), 'pair')}. Removed wrongly:"
        f" {count(test.removed_wrongly, 'micrograph')}."
    )
    if test.own_false:
        second += (
            f" {count(test.own_false, 'pair')} of these: two micrographs of the session itself, which the search of the whole session does"
            " not accept. Such a pair may be real: look at it."
        )
    third = (
        "The damage is that of an ordinary second visit. A new defocus cannot be computed from one exposure, and screening in groups is not"
        " part of the test: fewer are found where second visits differ much in dose or defocus, or where a large session is screened so."
    )
    return [first, second, third]

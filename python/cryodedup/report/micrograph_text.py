"""The sentences of the page about micrographs."""

from __future__ import annotations

from collections import Counter

from cryodedup import _core
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.self_test_score import SelfTest
from cryodedup.micrographs.sentences import kinds, overlaps, strength, tilts
from cryodedup.report.cards import when
from cryodedup.text import count


def verdict(result: MicrographOutcome) -> str:
    """How many micrographs, how many duplicates in how many sets, how many versions, and when the duplicates were taken."""
    n, kept = len(result.kept), int(result.kept.sum())
    if kept == n:
        return f"No duplicates among {count(n, 'micrograph')}." + (f" {overlaps(result)}." if result.overlaps else "")
    would = "would be " if result.withheld else ""
    removed = []
    if duplicates := n - kept - len(result.versions):
        removed.append(f"{duplicates:,} {would}removed as duplicates ({count(len(result.groups), 'set')})")
    if result.versions:
        removed.append(f"{len(result.versions):,} {would}removed as further versions of an exposure ({kinds(result)})")
    return f"{count(n, 'micrograph')}: {kept:,} {would}kept, {', '.join(removed)}.{_taken(result)}"


def _taken(result: MicrographOutcome) -> str:
    """When the micrographs removed as duplicates were taken; empty if that is not known for all."""
    removed = {i for group in result.groups for i in group if not result.kept[i]}
    times = [when(result.exposures.acquisitions[i]) for i in result.order if i in removed]
    if not times or not all(times):
        return ""
    return f" The duplicates were taken {f'between {times[0]} and {times[-1]}' if times[0] != times[-1] else f'at {times[0]}'}."


def used_lines(result: MicrographOutcome) -> list[tuple[str, str]]:
    """Returns what was used: a word and its value for each."""
    lines = [("pixel size", _pixel_sizes(result)), ("order of exposure", f"by {result.order_rule}" if result.order_rule else "as given")]
    for found in result.compared:
        corrected = len(found.members) >= _core.MIN_FOR_FIXED_PATTERN
        pattern = "the camera's fixed pattern was subtracted" if corrected else "too few micrographs to subtract the camera's fixed pattern"
        width, height = found.size
        lines.append(
            (
                "compared",
                f"{len(found.members):,} micrographs, reduced to {width:,} x {height:,} px: {count(found.tested, 'pair')}; {pattern}",
            )
        )
    lines.append(("pairs accepted", f"at {_rule(result)}"))
    share = f"micrographs that share at least {100 * result.params.least_overlap:g} % of the frame with a kept one"
    lines.append(("would be removed" if result.withheld else "removed", f"{share}; {_KEPT[result.params.keep]} of each set is kept"))
    return lines


_KEPT = {"earliest": "the earliest", "best-ctf": "the one with the best CTF fit"}


def _pixel_sizes(result: MicrographOutcome) -> str:
    """The pixel sizes that are known, and of how many micrographs."""
    known = Counter(f"{size:g} Å" for size in result.pixel_sizes_a if size is not None)
    unknown = sum(size is None for size in result.pixel_sizes_a)
    parts = [f"{size} ({count(number, 'micrograph')})" for size, number in known.most_common(6)]
    parts += [f"{count(len(known) - 6, 'other size')}"] if len(known) > 6 else []
    return "; ".join([*parts, *([f"not known ({count(unknown, 'micrograph')})"] if unknown else [])])


def methods(result: MicrographOutcome) -> str:
    """A paragraph for a paper."""
    return " ".join(
        [_compared(result), *_before(result), f"Pairs were accepted at {_rule(result)}; {_outcome(result)}.", *_overlapping(result)]
    )


def _before(result: MicrographOutcome) -> list[str]:
    """The steps before the comparison."""
    removed = f"Before the comparison all versions of an exposure but one were removed ({kinds(result)})." if result.versions else ""
    tilted = tilts(result)
    return [sentence for sentence in (removed, f"{tilted}." if tilted else "") if sentence]


def _compared(result: MicrographOutcome) -> str:
    params = result.params
    pairs = sum(found.tested for found in result.compared)
    compared = sum(len(found.members) for found in result.compared)
    which = "pairs within a window" if params.by_window else "all pairs"
    shifts = "all shifts" if params.max_shift_px is None else f"shifts of up to {params.max_shift_px:g} pixels"
    corrected = any(len(found.members) >= _core.MIN_FOR_FIXED_PATTERN for found in result.compared)
    pattern = " and corrected for the camera's fixed pattern" if corrected else ""
    return (
        f"Micrographs that show the same area were found with cryodedup {_core.__version__}: {which} ({pairs:,}) of {compared:,}"
        f" micrographs, {_binned(params.bin)}, whitened{pattern}, were cross-correlated at {shifts}."
    )


def _binned(bin: int) -> str:
    return "not binned" if bin == 1 else f"binned by {bin}"


def _rule(result: MicrographOutcome) -> str:
    """The criterion by which pairs were accepted."""
    params = result.params
    if params.threshold is not None:
        significant = f" and a significance of {_core.DOUBTFUL_Z:g}" if params.search == "all" else ""
        return f"a correlation coefficient of {params.threshold:g}{significant}"
    mirrored = any(found.decoys_tested for found in result.compared)
    null = (
        ", estimated from mirrored and from unrelated micrographs of the session and from other shots of the same holes" if mirrored else ""
    )
    return f"a false-discovery rate of {params.fdr:g}{null}"


def _outcome(result: MicrographOutcome) -> str:
    if not result.groups:
        return "no duplicate was found"
    first = {"time": "the earliest", "name": "the first by name", "natural": "the first by name"}.get(result.order_rule, "the first")
    kept = first if result.params.keep == "earliest" else "the one with the best CTF fit"
    removed = sum(len(group) - 1 for group in result.groups)
    if result.withheld:
        return f"{count(removed, 'micrograph')} in {count(len(result.groups), 'set')} would be removed, but this was not done"
    were = "was" if removed == 1 else "were"
    return f"{kept} of each of {count(len(result.groups), 'set')} was kept, and {count(removed, 'micrograph')} {were} removed"


def _overlapping(result: MicrographOutcome) -> list[str]:
    smallest = f"{100 * result.params.least_overlap:g} %"
    found = []
    if result.params.least_overlap and result.groups and not result.withheld:
        found.append(f"Each removed micrograph shares at least {smallest} of the frame with a kept one.")
    if result.overlaps:
        share = "shares" if len(result.overlaps) == 1 else "share"
        found.append(f"{count(len(result.overlaps), 'pair')} that {share} less than {smallest} of the frame were kept.")
    return found


def about_self_test(test: SelfTest) -> list[str]:
    """Paragraphs about the self-test: what was planted, and the results."""
    if test.reason:
        return [f"{test.reason[0].upper()}{test.reason[1:]}."]
    return [_planted(test), _accepted(test), _limits()]


def _planted(test: SelfTest) -> str:
    together = "all shots of a hole together" if test.by_hole else "each one alone, since the names do not give holes"
    rounds = f" in {test.rounds} rounds" if test.rounds > 1 else ""
    return (
        f"{count(test.planted, 'second exposure')} {'was' if test.planted == 1 else 'were'} planted among"
        f" {count(test.micrographs, 'micrograph')} of this session{rounds}, {together}. Each is made from a micrograph of the session: it"
        " is shifted, its signal is reduced in each ring of the spectrum, radiation damage is simulated, and it is mixed with another"
        f" micrograph, which it replaces. {strength(test)}. The search and the decision on them are the same as for the session."
    )


def _accepted(test: SelfTest) -> str:
    rate = f" at a false-discovery rate of {test.fdr:.2g}" if test.fdr is not None else ""
    text = (
        f"Pairs accepted{rate} although they were not planted: {len(test.false_pairs):,}. Micrographs removed wrongly:"
        f" {test.removed_wrongly:,}."
    )
    if test.own_false:
        text += (
            f" In {test.own_false:,} of these pairs both micrographs are unchanged, and the search of the whole session does not accept the"
            " pair. Such a pair may be real: check it."
        )
    return text


def _limits() -> str:
    return (
        "The simulated damage is that of an ordinary second visit. The test does not include changes of defocus, which cannot be simulated"
        " from one exposure, or screening in groups. Fewer duplicates are found if second visits differ much in dose or defocus, or if a"
        " large session is screened in groups."
    )

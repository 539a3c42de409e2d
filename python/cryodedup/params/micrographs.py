"""Parameters for micrographs and their defaults, the same for the command line and for Python."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cryodedup.errors import InputError
from cryodedup.names import named
from cryodedup.params.description import Choice, Number, Numbers, Switch, check, parameter, threads

Search = Literal["all", "window"]
Order = Literal["auto", "time", "name", "natural", "input"]
Keep = Literal["earliest", "best-ctf"]
Sensitivity = Literal["auto", "fast", "full"]

NYQUIST = 0.5
REACHED_DEG, SCREENED_DEG = 0.6, 1.0
"""Largest rotations between two micrographs at which the search finds them, and screening passes them, without rotating one."""
MAX_ANGLE_DEG = 10.0
MAX_BIN = 64
MIN_OVERLAP = 0.5
"""At this overlap, keeping both counts as much area twice as removing one loses."""
WINDOW = {"images_per_move": 16, "images_per_hole": 4, "scan_range": 48}
"""The window's defaults."""
_IN_SUMMARY = {"max_shift_px": "max_shift", "highpass_cycles_per_px": "highpass", "lowpass_cycles_per_px": "lowpass"}
COMPARISON, DUPLICATES, LIMITS, CHECKING, PREPARING = "Comparison", "Duplicates", "Limits", "Checking", "Preparing"
_COUNT = Number(expected="a whole number, 1 or more", low=1, whole=True)
_SHARE = Number(expected="a number, from 0 to 1", low=0.0, high=1.0)
_FREQUENCY = Number(expected=f"numbers of cycles per reduced pixel, from 0 to {NYQUIST} (Nyquist)", low=0.0, high=NYQUIST)


@dataclass(frozen=True, kw_only=True)
class MicrographParams:
    """How duplicate micrographs are found, and which of them are kept.

    Parameters
    ----------
    search
        ``all``: every pair; ``window``: each image and those that follow it at certain distances, as microduplicate_screener does; None:
        ``window`` if one of the next three is given, else ``all``.
    images_per_move, images_per_hole, scan_range
        The window, in images: from ``images_per_move`` on, in steps of ``images_per_hole``, up to ``scan_range``; and multiples of
        ``images_per_hole``. All ≥ 1; None: 16, 4 and 48.
    order
        Order in which the exposures were taken; ``auto``: by time where all names or metadata give it, else by name.
    fdr
        False-discovery rate up to which pairs are duplicates, between 0 and 1.
    threshold
        Decide by ``ccc`` at least this, instead of by ``fdr``; between -1 and 1. Without a window, pairs with a
        significance below 4 are not accepted.
    bin
        Side of the blocks of pixels that are averaged.
    highpass_cycles_per_px
        Width of the rise from zero frequency, cycles per reduced pixel. A second number, as IMOD's mtffilter takes it, has no effect.
    lowpass_cycles_per_px
        Frequency at which the fall begins, and its width, cycles per reduced pixel.
    max_shift_px
        Largest shift along an axis, pixels of the micrograph; None: up to where a tenth of the frame overlaps.
    search_angle_deg
        Largest rotation between two visits of a hole, degrees, 0 to 10. Rotations of up to 0.6 are found without extra cost. Above, each
        pair is compared at several rotations, 1.2 degrees apart, which takes that many times as long.
    search_flips
        Compare each pair in all orientations in which a program may store a frame: flipped in x or y, turned by 180 degrees; of square
        frames also turned by 90 and 270 degrees, and transposed. Takes that many times as long. Not in stages.
    tilt_axis_deg
        Angle of the tilt axis in the micrographs, degrees counterclockwise from the y axis, as IMOD and SerialEM count it; needed if
        some were taken at another stage tilt, and the metadata (EPU's ``.xml``) give only the tilt. None: that of SerialEM's ``.mdoc``.
    keep
        Which micrograph of a set is kept: the ``earliest``, or the one with the best CTF fit (``rlnCtfMaxResolution``,
        ``ctf_stats/ctf_fit_to_A``).
    min_overlap
        A micrograph is removed if it shares at least this part of the frame, 0 to 1, with one that is kept. Pairs that share less are
        only listed. None: 0.5 when deciding by ``fdr``, 0 with ``threshold``.
    max_removed
        Largest share of the exposures, 0 to 1, that may be removed as duplicates; beyond it the result is withheld.
    max_set
        Largest number of exposures in a set, 1 or more; beyond it the result is withheld.
    self_test
        Plant second exposures of the session's own micrographs, search them in the same way, and report how many are found.
    sensitivity
        Screening strategy for large sessions. ``auto``: in groups if the signal allows it, else pair by pair; ``full``: always pair by
        pair; ``fast``: always in groups.
    threads
        0: one for each processor. The result does not depend on it.
    """

    search: Search | None = parameter(
        None,
        Choice(Search),
        COMPARISON,
        "Compare every pair (all, the default), or each image only with a window of later images (window, the default if one of the next"
        " three options is given).",
    )
    images_per_move: int | None = parameter(
        None,
        _COUNT,
        COMPARISON,
        f"Start the window after this many images: the number of images per stage position.  [default: {WINDOW['images_per_move']}]",
        "N",
    )
    images_per_hole: int | None = parameter(
        None,
        _COUNT,
        COMPARISON,
        f"Compare every N-th image of the window: the number of images per hole.  [default: {WINDOW['images_per_hole']}]",
        "N",
    )
    scan_range: int | None = parameter(
        None, _COUNT, COMPARISON, f"End the window after this many images.  [default: {WINDOW['scan_range']}]", "N"
    )
    order: Order = parameter(
        "auto",
        Choice(Order),
        COMPARISON,
        "Set the order in which the exposures were taken. auto: by time if the names or metadata of all give it, else by name.",
    )
    max_shift_px: float | None = parameter(
        None,
        Number(expected="a number, 0 or more", low=0.0),
        COMPARISON,
        "Search shifts of up to this many micrograph pixels along each axis.  [default: all shifts with an overlap of at least 10 %]",
        "PX",
    )
    search_angle_deg: float = parameter(
        0.5,
        Number(expected=f"a number, from 0 to {MAX_ANGLE_DEG:g} degrees", low=0.0, high=MAX_ANGLE_DEG),
        COMPARISON,
        "Search for second visits rotated by up to this angle, in degrees. Values above 0.6 take longer (3 degrees: 5 times as long).",
        "DEG",
    )
    search_flips: bool = parameter(
        False,
        Switch(),
        COMPARISON,
        "Compare each pair also flipped and turned by 180 degrees; square frames also by 90 and 270 degrees. 4 or 8 times slower.",
    )
    tilt_axis_deg: float | None = parameter(
        None,
        Number(expected="a number, from -360 to 360 degrees", low=-360.0, high=360.0),
        COMPARISON,
        "Set the direction of the tilt axis, in degrees counterclockwise from the y axis. It is needed if stage tilts differ between"
        " micrographs and the metadata (EPU's .xml) give only the tilt angles.",
        "DEG",
    )
    fdr: float = parameter(
        0.01,
        Number(expected="a number, more than 0 and less than 1", low=0.0, high=1.0, open=True),
        DUPLICATES,
        "Accept pairs at this false-discovery rate.",
        "Q",
        is_unset=True,
    )
    threshold: float | None = parameter(
        None,
        Number(expected="a number, from -1 to 1", low=-1.0, high=1.0),
        DUPLICATES,
        "Accept pairs by correlation coefficient, as microduplicate_screener does.",
        "CCC",
    )
    min_overlap: float | None = parameter(
        None,
        _SHARE,
        DUPLICATES,
        "Remove a micrograph only if it shares at least this fraction of its frame (0 to 1) with a kept one."
        f"  [default: {MIN_OVERLAP}; 0 with {named('threshold')}]",
        "SHARE",
    )
    keep: Keep = parameter(
        "earliest",
        Choice(Keep),
        DUPLICATES,
        "Keep the earliest exposure of each set, or the one with the best CTF fit (best-ctf).",
    )
    max_removed: float = parameter(
        0.35,
        _SHARE,
        LIMITS,
        "Withhold the kept and removed files (exit status 3) if more than this fraction of the session would be removed as duplicates.",
        "SHARE",
    )
    max_set: int = parameter(8, _COUNT, LIMITS, "Withhold these files also if one set has more than N exposures.", "N")
    self_test: bool = parameter(
        False,
        Switch(),
        CHECKING,
        "Simulate second exposures of micrographs of this session, search for them in the same way, and report how many are found.",
    )
    bin: int = parameter(
        8,
        Number(expected=f"a whole number from 1 to {MAX_BIN}", low=1, high=MAX_BIN, whole=True),
        PREPARING,
        "Average blocks of N x N pixels.",
        "N",
    )
    highpass_cycles_per_px: tuple[float, ...] = parameter(
        (0.04, 0.02),
        Numbers(_FREQUENCY, (1, 2)),
        PREPARING,
        "Set the high-pass filter, in cycles per reduced pixel, as for IMOD's mtffilter. A second number has no effect.",
        "σ[,..]",
    )
    lowpass_cycles_per_px: tuple[float, float] = parameter(
        (0.25, 0.05),
        Numbers(_FREQUENCY, (2,)),
        PREPARING,
        "Set the radius and the falloff of the low-pass filter, in cycles per reduced pixel.",
        "r,σ",
    )
    sensitivity: Sensitivity = parameter(
        "auto",
        Choice(Sensitivity),
        PREPARING,
        "Choose the screening strategy for large sessions. full: pair by pair; fast: in groups; auto: in groups if the signal allows it.",
    )
    threads: int = threads()

    def __post_init__(self) -> None:
        check(self)
        given = next((name for name in WINDOW if getattr(self, name) is not None), None)
        if self.search == "all" and given is not None:
            raise InputError(
                kind="conflict",
                field=named(given),
                found=f"{getattr(self, given)} with {named('search', 'all')}",
                expected=named("search", "window"),
            )
        low, high = self.lowpass_cycles_per_px[0], self.highpass_cycles_per_px[0]
        if low <= high:
            raise InputError(
                kind="conflict",
                field=f"{named('lowpass_cycles_per_px')} and {named('highpass_cycles_per_px')}",
                found=f"{low:g} and {high:g}",
                expected="the lowpass above the highpass",
            )

    @property
    def by_window(self) -> bool:
        """Whether images are compared with those of a window only."""
        return self.search == "window" or any(getattr(self, name) is not None for name in WINDOW)

    @property
    def window(self) -> tuple[int, int, int]:
        """``images_per_move``, ``images_per_hole``, ``scan_range``, or what None stands for."""
        move, hole, reach = (getattr(self, name) or usual for name, usual in WINDOW.items())
        return move, hole, reach

    @property
    def turns_deg(self) -> list[float]:
        """Rotations at which pairs are compared, 0 first, so close that the search finds all rotations between them."""
        return _turns(self.search_angle_deg, REACHED_DEG)

    @property
    def screened_turns_deg(self) -> list[float]:
        """The same for screening, which is less sensitive to rotation."""
        return _turns(self.search_angle_deg, SCREENED_DEG)

    @property
    def max_shift_reduced_px(self) -> float | None:
        """``max_shift_px`` in pixels of the reduced micrographs."""
        return None if self.max_shift_px is None else self.max_shift_px / self.bin

    @property
    def least_overlap(self) -> float:
        """``min_overlap``, or the value that None stands for."""
        if self.min_overlap is not None:
            return self.min_overlap
        return MIN_OVERLAP if self.threshold is None else 0.0

    def used(self) -> dict[str, Any]:
        """All parameters by the names of schema 1 of the summary; None is replaced by its value where that depends on other parameters."""
        search = {"search": "window" if self.by_window else "all", **dict(zip(WINDOW, self.window, strict=True))}
        values = asdict(self) | search | {"min_overlap": self.least_overlap}
        return {_IN_SUMMARY.get(name, name): value for name, value in values.items()}

    @property
    def band(self) -> tuple[float, float, float]:
        """High-pass, low-pass and falloff of the images for which ``ncc`` and ``ccc`` are computed."""
        return (float(self.highpass_cycles_per_px[0]), float(self.lowpass_cycles_per_px[0]), float(self.lowpass_cycles_per_px[1]))

    @property
    def search_band(self) -> tuple[float, float, float]:
        """The same for the whitened images that are searched: by default from 0.02 on, falling like a Gaussian of width 0.15."""
        return (self.highpass_cycles_per_px[0] / 2, 0.0, 0.6 * self.lowpass_cycles_per_px[0])


def _turns(max_deg: float, reached_deg: float) -> list[float]:
    """0 and rotations to both sides, so that every rotation up to ``max_deg`` is within ``reached_deg`` of one of them."""
    steps = max(0, math.ceil((max_deg - reached_deg) / (2 * reached_deg) - 1e-9))
    return [0.0, *(sign * step * 2 * reached_deg for step in range(1, steps + 1) for sign in (1, -1))]

"""Parameters for micrographs and their defaults, the same for the command line and for Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cryodedup.errors import InputError, wrong_value
from cryodedup.names import named
from cryodedup.params.checks import MAX_THREADS, check_at_most, check_choices, check_switches, is_number, is_whole, remember

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
_RANGES = {
    "fdr": (0.0, 1.0, "more than 0 and less than 1"),
    "threshold": (-1.0, 1.0, "from -1 to 1"),
    "max_shift_px": (0.0, math.inf, "0 or more"),
    "tilt_axis_deg": (-360.0, 360.0, "from -360 to 360 degrees"),
    "search_angle_deg": (0.0, MAX_ANGLE_DEG, f"from 0 to {MAX_ANGLE_DEG:g} degrees"),
    "min_overlap": (0.0, 1.0, "from 0 to 1"),
    "max_removed": (0.0, 1.0, "from 0 to 1"),
}
_OPTIONAL = ("threshold", "max_shift_px", "tilt_axis_deg", "min_overlap")
_WINDOW = ("images_per_move", "images_per_hole", "scan_range")
_CHOICES = {"search": Search, "order": Order, "keep": Keep, "sensitivity": Sensitivity}
_IN_SUMMARY = {"max_shift_px": "max_shift", "highpass_cycles_per_px": "highpass", "lowpass_cycles_per_px": "lowpass"}
_BANDS = {"highpass_cycles_per_px": (1, 2), "lowpass_cycles_per_px": (2,)}
"""The allowed lengths of each."""


def with_window(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters given (None: not given), with ``search`` set to ``window`` if one of the window's is among them.

    Raises
    ------
    InputError
        A parameter of the window was given together with ``search`` ``all``.
    """
    window = next((name for name in _WINDOW if given.get(name) is not None), None)
    if window is None:
        return dict(given)
    if given.get("search") == "all":
        raise InputError(
            kind="conflict", field=named(window), found=f"{given[window]} with {named('search', 'all')}", expected=named("search", "window")
        )
    return {**given, "search": "window"}


@dataclass(frozen=True, kw_only=True)
class MicrographParams:
    """How duplicate micrographs are found, and which of them are kept.

    Parameters
    ----------
    search
        ``all``: every pair; ``window``: each image and those that follow it at certain distances, as microduplicate_screener does; None:
        ``window`` if one of the next three is not its default, else ``all``.
    images_per_move, images_per_hole, scan_range
        The window, in images: from ``images_per_move`` on, in steps of ``images_per_hole``, up to ``scan_range``; and multiples of
        ``images_per_hole``. All ≥ 1.
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

    search: Search | None = None
    images_per_move: int = 16
    images_per_hole: int = 4
    scan_range: int = 48
    order: Order = "auto"
    fdr: float = 0.01
    threshold: float | None = None
    bin: int = 8
    highpass_cycles_per_px: tuple[float, ...] = (0.04, 0.02)
    lowpass_cycles_per_px: tuple[float, float] = (0.25, 0.05)
    max_shift_px: float | None = None
    search_angle_deg: float = 0.5
    search_flips: bool = False
    tilt_axis_deg: float | None = None
    keep: Keep = "earliest"
    min_overlap: float | None = None
    max_removed: float = 0.35
    max_set: int = 8
    self_test: bool = False
    sensitivity: Sensitivity = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        remember(self)
        self._check_whole_numbers()
        check_switches(self, ["self_test"])
        check_at_most(self, {"threads": MAX_THREADS, "bin": MAX_BIN})
        for name, (low, high, reach) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if not (is_number(value) and low <= value <= high and (name != "fdr" or 0 < value < 1)):
                raise wrong_value(name, value, f"a number, {reach}")
        self._choose_search()
        check_choices(self, _CHOICES)
        self._check_bands()

    def _check_whole_numbers(self) -> None:
        for name in ("bin", "images_per_move", "images_per_hole", "scan_range", "max_set", "threads"):
            value, low = getattr(self, name), 0 if name == "threads" else 1
            if not is_whole(value) or value < low:
                raise wrong_value(name, value, f"a whole number, {low} or more")

    def _choose_search(self) -> None:
        """If one of the window's parameters is given, the search is ``window``."""
        reached = [name for name in _WINDOW if getattr(self, name) != getattr(type(self), name)]
        if self.search == "all" and reached:
            raise InputError(
                kind="conflict",
                field=named(reached[0]),
                found=f"{getattr(self, reached[0])} with {named('search', 'all')}",
                expected=named("search", "window"),
            )
        if self.search is None:
            object.__setattr__(self, "search", "window" if reached else "all")

    def _check_bands(self) -> None:
        for name, numbers in _BANDS.items():
            value = getattr(self, name)
            if not (isinstance(value, tuple | list) and len(value) in numbers and all(is_number(number) for number in value)):
                raise wrong_value(name, value, f"{' or '.join(map(str, numbers))} numbers of cycles per reduced pixel")
            object.__setattr__(self, name, tuple(float(number) for number in value))
            if not all(0 <= number <= NYQUIST for number in self.__dict__[name]):
                raise wrong_value(name, value, f"numbers from 0 to {NYQUIST} (Nyquist), cycles per reduced pixel")
        low, high = self.lowpass_cycles_per_px[0], self.highpass_cycles_per_px[0]
        if low <= high:
            raise InputError(
                kind="conflict",
                field=f"{named('lowpass_cycles_per_px')} and {named('highpass_cycles_per_px')}",
                found=f"{low:g} and {high:g}",
                expected="the lowpass above the highpass",
            )

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
        values = asdict(self) | {"min_overlap": self.least_overlap}
        return {_IN_SUMMARY.get(name, name): value for name, value in values.items()}

    @property
    def band(self) -> tuple[float, float, float]:
        """High-pass, low-pass and falloff of the images for which ``ncc`` and ``ccc`` are computed."""
        return (self.highpass_cycles_per_px[0], *self.lowpass_cycles_per_px)

    @property
    def search_band(self) -> tuple[float, float, float]:
        """The same for the whitened images that are searched: by default from 0.02 on, falling like a Gaussian of width 0.15."""
        return (self.highpass_cycles_per_px[0] / 2, 0.0, 0.6 * self.lowpass_cycles_per_px[0])


def _turns(max_deg: float, reached_deg: float) -> list[float]:
    """0 and rotations to both sides, so that every rotation up to ``max_deg`` is within ``reached_deg`` of one of them."""
    steps = max(0, math.ceil((max_deg - reached_deg) / (2 * reached_deg) - 1e-9))
    return [0.0, *(sign * step * 2 * reached_deg for step in range(1, steps + 1) for sign in (1, -1))]

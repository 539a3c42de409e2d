"""The options that the commands for micrographs have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

from cryodedup.params import MicrographParams

MICROGRAPHS = MicrographParams()
Command = TypeVar("Command", bound=Callable[..., Any])


class Numbers(click.ParamType[Any]):
    """One or two numbers separated by a comma."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """To numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"found {value!r}, expected numbers separated by a comma", param, ctx)


def _joined(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


def _filter(name: str, metavar: str, text: str) -> Callable[[Command], Command]:
    parameter = f"{name}_cycles_per_px"
    default = _joined(getattr(MICROGRAPHS, parameter))
    return click.option(f"--{name}", parameter, type=Numbers(), default=default, show_default=True, metavar=metavar, help=text)


highpass = _filter(
    "highpass", "σ[,..]", "Set the high-pass filter, in cycles per reduced pixel, as for IMOD's mtffilter. A second number has no effect."
)
lowpass = _filter("lowpass", "r,σ", "Set the radius and the falloff of the low-pass filter, in cycles per reduced pixel.")
max_shift = click.option(
    "--max-shift",
    "max_shift_px",
    type=float,
    metavar="PX",
    help="Search shifts of up to this many micrograph pixels along each axis.  [default: all shifts with an overlap of at least 10 %]",
)
fdr = click.option("--fdr", type=float, metavar="Q", help=f"Accept pairs at this false-discovery rate.  [default: {MICROGRAPHS.fdr}]")
bin_ = click.option(
    "--bin", "bin_", type=int, default=MICROGRAPHS.bin, show_default=True, metavar="N", help="Average blocks of N x N pixels."
)

"""The options that the commands for micrographs have in common."""

from __future__ import annotations

from typing import Any

import rich_click as click

from cryodedup.params import MicrographParams

MICROGRAPHS = MicrographParams()


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


highpass = click.option(
    "--highpass",
    "highpass_cycles_per_px",
    type=Numbers(),
    default=_joined(MICROGRAPHS.highpass_cycles_per_px),
    show_default=True,
    metavar="σ[,..]",
    help="Set the high-pass filter, in cycles per reduced pixel, as for IMOD's mtffilter.",
)
lowpass = click.option(
    "--lowpass",
    "lowpass_cycles_per_px",
    type=Numbers(),
    default=_joined(MICROGRAPHS.lowpass_cycles_per_px),
    show_default=True,
    metavar="r,σ",
    help="Set radius and falloff of the low-pass filter, in cycles per reduced pixel.",
)
max_shift = click.option(
    "--max-shift", "max_shift_px", type=float, metavar="PX", help="Search shifts up to this along each axis, in pixels of the micrograph."
)
fdr = click.option("--fdr", type=float, metavar="Q", help=f"Accept pairs up to this false-discovery rate.  [default: {MICROGRAPHS.fdr}]")
bin_ = click.option(
    "--bin", "bin_", type=int, default=MICROGRAPHS.bin, show_default=True, metavar="N", help="Average blocks of N x N pixels."
)

"""Images as arrays, for users who build their own tools."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryodedup import _core
from cryodedup._core import Correlation
from cryodedup.errors import InputError, wrong_value
from cryodedup.params import MicrographParams, checked
from cryodedup.params.description import is_number

Real = TypeVar("Real", np.float32, np.float64)

__all__ = ["Correlation", "correlate", "prepare"]


def prepare(image: ArrayLike, params: MicrographParams | None = None) -> NDArray[np.float32]:
    """Reduces, flattens and filters an image, ready for :func:`correlate`.

    Bins of ``params.bin`` pixels a side are averaged as IMOD's ``newstack -bin`` does; a polynomial surface of third degree is
    subtracted; the edges fade to 0; and the result is band-passed as by IMOD's ``mtffilter``.

    Parameters
    ----------
    image
        Shape (ny, nx), rows first; any real type.
    params
        ``bin``, ``highpass_cycles_per_px`` and ``lowpass_cycles_per_px`` are used.

    Returns
    -------
    float32, shape about (ny / bin, nx / bin); zeros for a blank image.

    Raises
    ------
    InputError
        Not two-dimensional, not of real numbers, smaller than two bins, or NaN or infinite pixels.

    Examples
    --------
    >>> import numpy as np
    >>> prepare(np.random.default_rng(1).normal(size=(363, 515)), MicrographParams(bin=4)).shape
    (91, 129)
    """
    params = checked(params, MicrographParams)
    return _core.prepare_image(_image(image, np.float32), bin=params.bin, band=params.band)


def correlate(first: ArrayLike, second: ArrayLike, *, max_shift_px: float | None = None) -> Correlation:
    """Correlates two images at every shift, zero-padded so that shifts do not wrap around, and measures the best one exactly.

    Parameters
    ----------
    first, second
        Shape (ny, nx) both; the mean of each is subtracted, and it is divided by its standard deviation.
    max_shift_px
        Largest shift along an axis; None: up to where a tenth of the frame overlaps.

    Returns
    -------
    :class:`Correlation`: the sub-pixel shift (x, y) that superimposes the second on the first, and ``ncc``, ``ccc``, ``overlap``, ``z``.

    Raises
    ------
    InputError
        Images of different shapes, not two-dimensional, not of real numbers, or with NaN or infinite pixels.

    Examples
    --------
    >>> import numpy as np
    >>> scene = np.random.default_rng(1).normal(size=(100, 120))
    >>> found = correlate(scene[:80, :90], scene[10:90, 5:95])
    >>> [round(value) for value in found.shift_px], round(found.ncc, 6)
    ([5, 10], 1.0)
    """
    if max_shift_px is not None and not (is_number(max_shift_px) and max_shift_px >= 0):
        raise wrong_value("max_shift_px", max_shift_px, "a number of pixels, 0 or more")
    return _core.correlate(_standard(first), _standard(second), max_shift_px=max_shift_px)


def _standard(image: ArrayLike) -> NDArray[np.float32]:
    """The image with mean 0 and standard deviation 1; zeros, if all pixels are alike."""
    pixels = _image(image, np.float64)
    pixels = pixels / (np.abs(pixels).max() or 1.0)
    pixels -= pixels.mean()
    return (pixels / (pixels.std() or 1.0)).astype(np.float32)


def _image(image: ArrayLike, dtype: type[Real]) -> NDArray[Real]:
    array = np.asarray(image)
    if array.dtype.kind not in "biuf":
        raise InputError(
            kind="parameter",
            field="image",
            found=f"{array.dtype if array.ndim else type(image).__name__}",
            expected="an array of real numbers",
        )
    array = np.ascontiguousarray(array, dtype)
    if array.ndim != 2 or min(array.shape) < 2:
        raise InputError(kind="parameter", field="image", found=f"shape {array.shape}", expected="(ny, nx)")
    if not np.isfinite(array).all():
        raise InputError(kind="parameter", field="image", found="NaN or infinite pixels", expected="finite numbers")
    return array

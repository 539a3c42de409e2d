"""Classes of micrographs that are compared with each other: those of one size and one pixel size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from cryodedup.formats.images import Image
from cryodedup.micrographs.exposures import Exposures

TOLERANCE = 0.01
"""Pixel sizes that differ by at most this share are taken as equal: the search finds such changes of magnification."""
_UNSET_A = 1.0
"""The pixel size, Å, that programs write into a header when they do not know it."""
PixelSizes = Mapping[int, float | None]


def pixel_sizes_a(exposures: Exposures, images: Mapping[int, Image]) -> dict[int, float | None]:
    """The pixel size of each readable micrograph, Å: from the table, else from its header; None where neither gives it."""
    table = exposures.pixel_sizes_a
    known: dict[int, float | None] = {}
    for i, image in images.items():
        size = float(table[i]) if table is not None else 0.0
        known[i] = size if 0 < size < float("inf") else in_header_a(image)
    return known


def in_header_a(image: Image) -> float | None:
    """The pixel size in the header of a micrograph, Å; None if it gives none."""
    return image.pixel_size_a if image.pixel_size_a != _UNSET_A else None


def fits(size_a: float | None, others_a: Sequence[float]) -> bool:
    """Whether a micrograph of some pixel size is compared with others of the same number of pixels; unknown sizes are left out of these."""
    return size_a is None or not others_a or (min(others_a) <= size_a * (1 + TOLERANCE) and size_a <= max(others_a) * (1 + TOLERANCE))


def comparable(members: Iterable[int], images: Mapping[int, Image], known_a: PixelSizes) -> list[list[int]]:
    """Micrographs that are compared with each other, the largest class first.

    Micrographs of unknown pixel size join the largest class of their size in pixels.
    """
    by_size: dict[tuple[int, int], list[int]] = {}
    for i in members:
        by_size.setdefault((images[i].nx, images[i].ny), []).append(i)
    classes = [members for same in by_size.values() for members in _by_pixel_size(same, known_a)]
    return sorted(classes, key=len, reverse=True)


def _by_pixel_size(members: Sequence[int], known_a: PixelSizes) -> list[list[int]]:
    sizes = sorted({size for i in members if (size := known_a[i]) is not None})
    number, class_of = 0, {}
    for before, size in zip([*sizes[:1], *sizes], sizes, strict=False):
        number += size > before * (1 + TOLERANCE)
        class_of[size] = number
    found: list[list[int]] = [[] for _ in range(number + 1)]
    for i in members:
        size = known_a[i]
        if size is not None:
            found[class_of[size]].append(i)
    largest = max(found, key=len)
    largest += [i for i in members if known_a[i] is None]
    rank = {i: k for k, i in enumerate(members)}
    return [sorted(group, key=rank.__getitem__) for group in found]


def class_warnings(names: Sequence[str], classes: Sequence[Sequence[int]], images: Mapping[int, Image], known_a: PixelSizes) -> list[str]:
    """Warnings about micrographs that are not compared because of their size or pixel size, or are although their pixel size is unknown."""
    by_size: dict[tuple[int, int], list[Sequence[int]]] = {}
    for members in classes:
        by_size.setdefault((images[members[0]].nx, images[members[0]].ny), []).append(members)
    warnings = [_of_sizes(names, by_size)] if len(by_size) > 1 else []
    for (nx, ny), same in by_size.items():
        if len(same) > 1:
            sizes = ", ".join(
                f"{len(members):,} of {_typical_a(members, known_a):.4g} Å (such as {names[_known(members, known_a)[0]]})"
                for members in same
            )
            warnings.append(
                f"micrographs of {nx} x {ny} pixels have {len(same)} pixel sizes ({sizes}): those that differ by more than"
                f" {100 * TOLERANCE:g} % are not compared with each other; correct wrong pixel sizes in the table or in the headers"
            )
    return warnings + _of_unknown(names, classes, known_a)


def _of_sizes(names: Sequence[str], by_size: Mapping[tuple[int, int], Sequence[Sequence[int]]]) -> str:
    several = {size: [i for members in same for i in members] for size, same in by_size.items()}
    sizes = ", ".join(f"{len(members):,} of {nx} x {ny} px" for (nx, ny), members in several.items())
    alone = [names[members[0]] for members in several.values() if len(members) == 1]
    which = f"; no other has the size of {', '.join(alone[:3])}{', ...' if len(alone) > 3 else ''}" if alone else ""
    return f"the micrographs have {len(several)} sizes ({sizes}): only micrographs of the same size are compared{which}"


def _of_unknown(names: Sequence[str], classes: Sequence[Sequence[int]], known_a: PixelSizes) -> list[str]:
    warnings = []
    for members in classes:
        unknown = [i for i in members if known_a[i] is None]
        if unknown and len(unknown) < len(members):
            warnings.append(
                f"micrographs without a known pixel size (missing, 0 or exactly 1 Å: {len(unknown):,}, such as {names[unknown[0]]}) are"
                f" compared with the {len(members) - len(unknown):,} of {_typical_a(members, known_a):.4g} Å; if the magnifications"
                " differ, give a table with pixel sizes"
            )
    return warnings


def _known(members: Iterable[int], known_a: PixelSizes) -> list[int]:
    return [i for i in members if known_a[i] is not None]


def _typical_a(members: Iterable[int], known_a: PixelSizes) -> float:
    return median(size for i in members if (size := known_a[i]) is not None)

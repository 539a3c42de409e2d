"""One micrograph of each exposure, in classes that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryodedup import _core
from cryodedup.micrographs.classes import comparable
from cryodedup.micrographs.headers import Opened
from cryodedup.micrographs.measuring import Class
from cryodedup.micrographs.tilt import Tilts, tilts_of
from cryodedup.micrographs.versions import Version, find_versions, without_versions
from cryodedup.params import MicrographParams


@dataclass(frozen=True)
class Unique:
    """One micrograph of each exposure.

    Attributes
    ----------
    versions, refused
        The others, and pairs that are no versions though their names say so.
    at
        By index the place in the order of exposure, in which a version has none of its own.
    classes
        What is compared with each other.
    """

    versions: list[Version]
    refused: list[tuple[int, int]]
    at: dict[int, int]
    classes: list[Class]
    tilts: Tilts

    @property
    def compared(self) -> list[Class]:
        """The classes in which there is anything to compare."""
        return [of_class for of_class in self.classes if len(of_class.members) > 1]


def unique_ones(opened: Opened, records: Mapping[int, _core.Record], params: MicrographParams) -> Unique:
    """Finds the versions among the micrographs that were read, and puts the others into classes."""
    versions, refused = find_versions(opened.images, records, opened.rank)
    there = set(without_versions(opened.order, versions))
    several = comparable((i for i in opened.order if i in there and i in records), opened.images, opened.pixel_sizes_a)
    return of_classes(opened, versions, refused, [(members, [records[i] for i in members]) for members in several], params)


def of_classes(
    opened: Opened,
    versions: list[Version],
    refused: list[tuple[int, int]],
    several: Sequence[tuple[list[int], Sequence[_core.Record]]],
    params: MicrographParams,
) -> Unique:
    """From the versions, and from the micrographs of each class with their records."""
    acquisitions = opened.exposures.acquisitions
    at = {i: k for k, i in enumerate(without_versions(opened.order, versions))}
    tilts = tilts_of(acquisitions, params.tilt_axis_deg)
    classes = [
        Class(
            members=members,
            records=records,
            ordinals=[at[i] for i in members],
            acquisitions=[acquisitions[i] for i in members],
            maps=tilts.of(members),
        )
        for members, records in several
    ]
    return Unique(versions, refused, at, classes, tilts)

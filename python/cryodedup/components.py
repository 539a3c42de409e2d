"""Connected components of small graphs; those of particles, of which there are millions, are the core's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


def connected(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The connected components of a graph's edges, by their smallest member; members ascending."""
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while (above := parent.setdefault(i, i)) != i:
            parent[i] = parent[above]
            i = parent[i]
        return i

    for i, j in pairs:
        a, b = root(i), root(j)
        parent[max(a, b)] = min(a, b)
    members: dict[int, list[int]] = defaultdict(list)
    for i in sorted(parent):
        members[root(i)].append(i)
    return list(members.values())

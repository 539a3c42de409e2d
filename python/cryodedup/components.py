"""Connected components of small graphs; those of particles, of which there are millions, are the core's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


def connected_components(edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The connected components of a graph's edges, by their smallest member; members ascending.

    Examples
    --------
    >>> connected_components([(5, 2), (9, 7), (2, 3)])
    [[2, 3, 5], [7, 9]]
    """
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while (above := parent.setdefault(i, i)) != i:
            parent[i] = parent[above]
            i = parent[i]
        return i

    for i, j in edges:
        a, b = root(i), root(j)
        parent[max(a, b)] = min(a, b)
    members: dict[int, list[int]] = defaultdict(list)
    for i in sorted(parent):
        members[root(i)].append(i)
    return list(members.values())

"""Sets of micrographs that show the same, and which of each stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def connected(n: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The connected components of at least two of ``n`` micrographs, by their smallest member; members ascending."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in pairs:
        a, b = root(i), root(j)
        parent[max(a, b)] = min(a, b)
    members: dict[int, list[int]] = {}
    for i in range(n):
        members.setdefault(root(i), []).append(i)
    return [group for group in members.values() if len(group) > 1]


def best(group: Sequence[int], rank: Sequence[float]) -> int:
    """The member of least rank."""
    return min(group, key=lambda i: (rank[i], i))

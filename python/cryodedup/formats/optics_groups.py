"""Joins the optics groups of several STAR files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.star import StarFile, group_number, quoted

ID, NAME = "rlnOpticsGroup", "rlnOpticsGroupName"


@dataclass
class Optics:
    """The table of optics groups of the first file, to which the groups of other files are added."""

    labels: list[str]
    rows: list[dict[str, str]]
    end: int
    """Offset in the file of the end of the table's last row."""
    added: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, file: StarFile) -> Optics:
        table: _core.Table | None = file.find("optics")
        if table is None:
            return cls([], [], 0)
        rows = [{**row, ID: group_number(row[ID])} if ID in row else row for row in file.rows(table)]
        return cls(table.labels, rows, table.rows.start(len(table.rows)))

    def add(self, other: Optics) -> dict[str, str]:
        """Adds the groups of ``other`` that are new; returns the new numbers of its groups that are renumbered, by the old ones."""
        renumbered = {}
        for row in other.rows:
            same = next((known for known in self.rows if {**known, ID: ""} == {**row, ID: ""}), None)
            if same is None:
                same = dict(row)
                if any(known[ID] == row[ID] for known in self.rows):
                    same[ID] = str(max(map(_number, [*self.rows, *other.rows])) + 1)
                same[NAME] = self._free_name(row.get(NAME, ""))
                self.rows.append(same)
                self.added.append(same)
            if same[ID] != row[ID]:
                renumbered[row[ID]] = same[ID]
        return renumbered

    def _free_name(self, name: str) -> str:
        taken = {row.get(NAME) for row in self.rows}
        candidates = (name, *(f"{name}_{i}" for i in range(2, len(taken) + 3)))
        return next(candidate for candidate in candidates if candidate not in taken)

    def added_lines(self, path: Path) -> bytes:
        """The added rows as text, to be inserted after the last row of the table."""
        with path.open("rb") as file:
            file.seek(self.end - 1)
            start = "" if file.read(1) == b"\n" else "\n"
        lines = (" ".join(quoted(row[label]) for label in self.labels) + " \n" for row in self.added)
        return (start + "".join(lines)).encode("utf-8", "surrogateescape")


def _number(row: dict[str, str]) -> int:
    try:
        return int(float(row[ID]))
    except (ValueError, OverflowError):
        raise InputError(kind="malformed", field=f"data_optics: {ID}", found=f"{row[ID]!r}", expected="a whole number") from None

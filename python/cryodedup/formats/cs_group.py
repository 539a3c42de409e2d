"""CryoSPARC's result groups (``.csg``): YAML that says which slots of a result are in which datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup.errors import InputError


@dataclass(frozen=True)
class CsGroup:
    """A ``.csg`` file: which slots of a result are in which files."""

    path: Path
    content: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> CsGroup:
        import yaml

        try:
            group = cls(path, yaml.safe_load(path.read_text("utf-8")))
            named = bool(group.files)
        except (OSError, MemoryError):
            raise
        except Exception:  # yaml's own errors, and those of the types it builds
            named = False
        if not named:
            raise InputError(kind="unsupported", path=path, found="no results with a metafile", expected="a CryoSPARC group (.csg)")
        return group

    @property
    def files(self) -> list[Path]:
        """The datasets it names, each once, in order."""
        return list(dict.fromkeys(self._resolve(slot["metafile"]) for slot in self.content["results"].values()))

    @property
    def slots(self) -> dict[str, int]:
        """For each slot the number of the one of ``files`` that holds its fields ``slot/...``."""
        return {slot: self.files.index(self._resolve(entry["metafile"])) for slot, entry in self.content["results"].items()}

    def numbers_of(self, field: str) -> Sequence[int]:
        """The numbers of the ``files`` that may give a field: that of its slot, or of a field without one, all."""
        number = self.slots.get(field.partition("/")[0])
        return range(len(self.files)) if number is None else [number]

    def check_counts(self, counts: Sequence[int]) -> None:
        """Raises InputError if a file has another number of records than a slot says; ``counts``: those of ``files``."""
        for slot, number in self.slots.items():
            items, found = self.content["results"][slot].get("num_items"), counts[number]
            if items not in (None, found):
                raise InputError(
                    kind="contradiction",
                    path=self.path,
                    field=f"slot {slot}",
                    found=f"{found:,} records in {self.files[number].name}",
                    expected=f"{items} (num_items): the file was changed after the export, or belongs to another job",
                    remedy="export the result group again",
                )

    def _resolve(self, metafile: str) -> Path:
        # ">" stands for the directory of the group's own file.
        return self.path.parent / metafile[1:] if metafile.startswith(">") else Path(metafile)

    def renamed(self, names: Mapping[Path, str], count: int, word: str) -> str:
        """The text of a group like this one, with other files and numbers of items; its title says which part it is."""
        results = {
            slot: {**entry, "metafile": ">" + names[self._resolve(entry["metafile"])], "num_items": count}
            for slot, entry in self.content["results"].items()
        }
        group = self.content.get("group")
        titled = {}
        if isinstance(group, dict):
            title = str(group.get("title", "Particles")).removesuffix(f" {word}")
            titled = {"group": {**group, "title": f"{title} {word}"}}
        return _dump({**self.content, **titled, "results": results})


def group_text(files: Sequence[tuple[np.dtype[Any], str]], count: int, word: str, kind: str = "particle") -> str:
    """The text of a ``.csg`` for files (fields, name) of the same particles or exposures: a slot for each prefix of their fields.

    ``word``: which part of them it is, for the title.
    """
    results: dict[str, dict[str, object]] = {}
    for dtype, file in files:
        for slot in dict.fromkeys(name.split("/")[0] for name in dtype.names or () if "/" in name):
            results.setdefault(slot, {"metafile": f">{file}", "num_items": count, "type": f"{kind}.{slot}"})
    group = {"description": "", "name": f"{kind}s", "title": f"{kind.capitalize()}s {word}", "type": kind}
    return _dump({"group": group, "results": results, "version": "v4.4.1"})


def _dump(content: dict[str, Any]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes read-only mappings, too."""

    Dumper.add_multi_representer(dict, Dumper.represent_dict)
    return str(yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True))

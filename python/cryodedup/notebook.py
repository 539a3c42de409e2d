"""What a notebook shows of a result: text, HTML, DataFrames, and the figures of the page, which can be saved as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.micrographs.gallery import MAX_PAIRS
from cryodedup.micrographs.listings import FORMATS, WORDS, values_of
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.names import as_parameters
from cryodedup.particles.listing import own_micrographs, scores_of, uids_of
from cryodedup.particles.result import ParticleOutcome
from cryodedup.report import micrograph_text, particle_text
from cryodedup.report.cards import card
from cryodedup.report.figure import Figure
from cryodedup.report.figures import example_panels, examples, pair, pickers, shifts, significance
from cryodedup.report.page import fragment
from cryodedup.report.particle_page import advice_for_page, advised, words_for
from cryodedup.text import shown

if TYPE_CHECKING:
    import pandas as pd

PAIR_BYTES = 400_000
"""Of the pictures of a pair."""


def plot_distances(found: ParticleOutcome) -> Figure:
    """Two histograms of the distances to the nearest neighbour."""
    return _advised(found, "plot_distances")[0]


def plot_kept_curve(found: ParticleOutcome) -> Figure:
    """The share of the particles that each minimum separation would keep."""
    return _advised(found, "plot_kept_curve")[1]


def _advised(found: ParticleOutcome, name: str) -> list[Figure]:
    figures = advised(found, advice_for_page(found), words_for(found)[0])
    if not figures:
        raise InputError(
            kind="missing", field=name, found="no distances: the pixel size is not known, or there are fewer than two particles"
        )
    return figures


def plot_pickers(found: ParticleOutcome) -> Figure:
    """A matrix: the share of the particles of the input in each row that have a particle of the input in each column nearby."""
    data = pickers.pickers(found)
    if data is None:
        raise InputError(
            kind="missing", field="plot_pickers", found=f"{len(found.sources)} inputs", expected="2 or more whose overlaps are known"
        )
    return pickers.draw(data)


def plot_micrograph(found: ParticleOutcome, name: str) -> Figure:
    """A micrograph with its particles, and the places with the most duplicates, enlarged."""
    if not found.centres.in_angstrom:
        raise InputError(
            kind="missing", field="plot_micrograph", found="particles whose pixel size is not known", expected="it (pixel_size_a)"
        )
    return example_panels.draw(examples.example_of(found, examples.numbered(found, name)), words_for(found))


def plot_pair(found: MicrographOutcome, k: int) -> Figure:
    """Two micrographs of a pair, the second laid on the first at their shift."""
    if not isinstance(k, int | np.integer) or not 0 <= k < len(found.pairs):
        expected = f"a number from 0 to {len(found.pairs) - 1}" if found.pairs else "one of the pairs, of which there are none"
        raise InputError(kind="parameter", field="plot_pair", found=f"pair {k!r}", expected=expected)
    if not {found.pairs[k].first, found.pairs[k].second} <= found.thumbnails.keys():
        raise InputError(
            kind="missing",
            field="plot_pair",
            found=f"no pictures of pair {k}: those of the {MAX_PAIRS} best and most doubtful pairs are kept",
        )
    return pair.draw(card(found, found.names, int(k), PAIR_BYTES))


def plot_significance(found: MicrographOutcome) -> Figure:
    """Numbers of pairs of at least each significance: found, of mirrored pairs, and expected by chance."""
    data = significance.significance(found)
    if data is None:
        raise InputError(kind="missing", field="plot_significance", found="no pair that was compared closely", expected="some")
    return significance.draw(data)


_MAX_ROWS, _MAX_WARNINGS = 12, 6


@dataclass(frozen=True)
class Overview:
    """Holds what is shown of a result: the verdict, warnings, a table, and what can be done with it."""

    verdict: str
    warnings: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[Sequence[str | int]]
    hint: str

    @classmethod
    def of_particles(cls, found: ParticleOutcome) -> Overview:
        """Describes a result among particles."""
        repaired = found.repaired_halves is not None
        rows = [
            (source.picks.label, len(source.picks), len(source.picks) if repaired else int(found.kept_of(i).sum()))
            for i, source in enumerate(found.sources)
        ]
        verdict = particle_text.verdict(found)
        several = ", plot_pickers()" if len(found.sources) > 1 else ""
        hint = f"write(directory), to_dataframe(), kept_table(), plot_distances(), plot_kept_curve(), plot_micrograph(name){several}"
        return cls(verdict, found.warnings, ("input", "particles", "kept"), _few(rows), hint)

    @classmethod
    def of_micrographs(cls, found: MicrographOutcome) -> Overview:
        """Describes a result among micrographs."""
        warnings = [*([f"Withheld: {found.withheld}."] if found.withheld else []), *found.warnings]
        names = [name.rpartition("/")[2] for name in found.names]
        rows = [
            (f"{names[pair.first]} = {names[pair.second]}", f"z {pair.z:.1f}", f"overlap {100 * pair.overlap:.0f} %")
            for pair in found.duplicates
        ]
        hint = "write(directory), to_dataframe(), kept_table(), plot_significance(), plot_pair(k)"
        return cls(micrograph_text.verdict(found), warnings, ("duplicates", "significance", "overlap"), _few(rows), hint)

    def text(self, name: str) -> str:
        """One screen of text."""
        lines = [f"{name}: {self.verdict}", *(f"warning: {text}" for text in self._few_warnings())]
        return "\n".join(shown(as_parameters(line)) for line in [*lines, *self._table(), self.hint])

    def _table(self) -> list[str]:
        if not self.rows:
            return []
        cells = [self.heads, *([f"{value:,}" if isinstance(value, int) else value for value in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return ["  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]).rstrip() for first, *others in cells]

    def html(self, figures: Sequence[Figure]) -> str:
        """The same with figures."""
        return fragment(
            "notebook.html.j2",
            verdict=self.verdict,
            warnings=self._few_warnings(),
            heads=self.heads,
            rows=self.rows,
            figures=figures,
            hint=self.hint,
        )

    def _few_warnings(self) -> list[str]:
        more = len(self.warnings) - _MAX_WARNINGS
        return [*self.warnings[:_MAX_WARNINGS], *([f"{more} more: see warnings"] if more > 0 else [])]


def figures_of_particles(found: ParticleOutcome) -> list[Figure]:
    """Two small figures, if distances are known."""
    return advised(found, advice_for_page(found), words_for(found)[0])


def figures_of_micrographs(found: MicrographOutcome) -> list[Figure]:
    """Two small figures, if there are pairs."""
    chances, moves = significance.significance(found), shifts.shifts(found)
    return [*([significance.draw(chances)] if chances else []), *([shifts.draw(moves)] if moves else [])]


def _few(rows: Sequence[Sequence[str | int]]) -> list[Sequence[str | int]]:
    more = len(rows) - _MAX_ROWS
    return [*rows[:_MAX_ROWS], *([(f"and {more:,} more", *[""] * (len(rows[0]) - 1))] if more > 0 else [])]


def rejected_particles(found: ParticleOutcome) -> pd.DataFrame:
    """A row for each rejected particle, as in ``duplicates.csv``; what is not known is NaN or <NA>."""
    import pandas as pd

    rejected, of = found.rejected, found.duplicate_of
    is_known = np.zeros(len(rejected), bool) if found.params.remove_entirely else of != rejected
    columns = _identities(found, rejected, np.ones(len(rejected), bool), "")
    names = [micrograph.name for picks in found.joined.picks for micrograph in picks.micrographs]
    columns["micrograph"] = pd.Series([names[i] for i in own_micrographs(found.joined.picks)[rejected]], dtype=object)
    in_a = found.centres.in_angstrom
    axes = found.coordinates_a.shape[1]
    columns |= {f"{axis}_a": found.coordinates_a[rejected, k] if in_a else np.nan for k, axis in enumerate("xyz"[:axes])}
    columns["score"] = scores_of(found.joined.picks)[rejected]
    columns |= _identities(found, of, is_known, "kept_")
    columns["distance_a"] = found.distances_a if in_a else np.nan
    return pd.DataFrame(columns, index=pd.RangeIndex(len(rejected)))


def _identities(found: ParticleOutcome, rows: NDArray[np.int64], is_known: NDArray[np.bool_], prefix: str) -> dict[str, Any]:
    """Source, row and uid of particles."""
    import pandas as pd

    rows = np.where(is_known, rows, 0)
    picks, source_of = found.joined.picks, found.joined.source_of[rows]
    has_uid = np.array([pick.uids is not None for pick in picks])[source_of]
    labels = pd.Series([picks[i].label for i in source_of], dtype=object)
    return {
        f"{prefix}source": labels.where(is_known, None),
        f"{prefix}row": pd.Series(rows - found.joined.bounds[source_of], dtype="Int64").where(is_known),
        f"{prefix}uid": pd.Series(uids_of(picks)[rows], dtype="UInt64").where(is_known & has_uid),
    }


def pairs_of_micrographs(found: MicrographOutcome) -> pd.DataFrame:
    """A row for each pair, as in ``duplicates.csv``; those of ``overlaps.csv`` follow, without a ``set``."""
    import pandas as pd

    names = found.names
    rows = [
        {
            "Original": names[pair.first],
            "Duplicate": names[pair.second],
            "set": pair.set or None,
            **values_of(found.exposures.acquisitions, pair),
        }
        for pair in found.pairs
    ]
    frame = pd.DataFrame(rows, columns=["Original", "Duplicate", "set", *FORMATS, *WORDS])
    return frame.astype({"set": "Int64", **dict.fromkeys(FORMATS, float)})

"""Results as one screen of text, and as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.names import as_parameters
from cryodedup.particles.result import ParticleOutcome
from cryodedup.report import micrograph_text, particle_text
from cryodedup.report.figure import Figure
from cryodedup.report.figures import shifts, significance
from cryodedup.report.page import fragment
from cryodedup.report.particle_page import advice_for_page, advised, words_for
from cryodedup.text import shown

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

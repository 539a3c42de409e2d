"""The figures of the page, one by one; a figure shows itself in a notebook and can be saved as SVG."""

from __future__ import annotations

import numpy as np

from cryodedup.errors import InputError
from cryodedup.micrographs.gallery import MAX_PAIRS
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.particles.result import ParticleOutcome
from cryodedup.report.cards import card
from cryodedup.report.figure import Figure
from cryodedup.report.figures import example_panels, examples, pair, pickers, significance
from cryodedup.report.particle_page import advice_for_page, advised, words_for

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

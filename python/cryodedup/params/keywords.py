"""The parameters as keywords of functions: editors complete them, and type checkers find a misspelt one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from cryodedup.params.micrographs import Keep, Order, Search, Sensitivity
from cryodedup.params.particles import HalfSetsRule, Match, NormalizeScores, Priority, ScoreOrder, ShiftKey, VotesWhere


class ParticleKeywords(TypedDict, total=False):
    """Fields of :class:`~cryodedup.ParticleParams` as keywords."""

    min_separation_a: float
    shift_key: ShiftKey
    flip_y: bool
    undo_symmetry_expansion: bool
    pixel_size_a: float | Mapping[str, float] | None
    pixel_size_override: bool
    micrographs: Path | str | None
    match: Match
    tomograms: Path | str | None
    start_end: bool
    score_field: str
    score_order: ScoreOrder
    min_score: float | Mapping[str, float] | None
    normalize_scores: NormalizeScores
    priority: Priority
    min_votes: int
    votes_where: VotesWhere
    half_sets: HalfSetsRule
    remove_entirely: bool
    seed: int
    diameter_a: float | None
    threads: int


class MicrographKeywords(TypedDict, total=False):
    """Fields of :class:`~cryodedup.MicrographParams` as keywords."""

    search: Search | None
    images_per_move: int | None
    images_per_hole: int | None
    scan_range: int | None
    order: Order
    max_shift_px: float | None
    search_angle_deg: float
    search_flips: bool
    tilt_axis_deg: float | None
    fdr: float
    threshold: float | None
    min_overlap: float | None
    keep: Keep
    max_removed: float
    max_set: int
    self_test: bool
    bin: int
    highpass_cycles_per_px: tuple[float, ...]
    lowpass_cycles_per_px: tuple[float, float]
    sensitivity: Sensitivity
    threads: int

"""The kinds of sessions: what each has that plain ice has not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A session. Lengths are in pixels of the frame (6.64 Å), angles in degrees.

    ``frames``: how many in all, 0: 24 holes with four shots or 64 with one; ``pattern``: strength of the gain reference's residual;
    ``overlap``: range of the share of the frame that a second visit sees again; ``second_dose``: dose of the second visit, of the first;
    ``second_tilt``: of the stage, told by SerialEM's files.
    """

    frames: int = 0
    repeats: int = 9
    overlap: tuple[float, float] = (0.3, 0.95)
    snr: float = 0.07
    particles: tuple[int, int] = (100, 300)
    layer: str = "random"
    pattern: float = 1.0
    defocus_change_um: float = 0.1
    carbon: float = 0.3
    beam_edge: float | None = None
    foil: str = ""
    foil_jitter: float = 15.0
    carbon_foil: bool = False
    flakes: int = 0
    moving_flakes: bool = True
    hot_pixels: int = 0
    x_rays: int = 0
    dead_columns: int = 0
    ice_gradient: float = 0.0
    failed: int = 0
    blank: int = 0
    turn: float = 0.0
    magnification: float = 0.0
    tilt: float = 0.0
    second_tilt: float = 0.0
    second_dose: float = 1.0
    damage_b_a2: float = 80.0
    damage_move_a: float = 3.0
    damage_contrast: float = 0.88
    montage: float = 0.0
    versions: str = ""
    around_zero: bool = False
    triple: bool = False


PLAIN = Kind()

KINDS: dict[str, Kind] = {
    "plain": PLAIN,
    "dim": replace(PLAIN, snr=0.03, particles=(40, 100), carbon=0.0),
    "strong gain residual": replace(PLAIN, pattern=3.0),
    "defocus change 0.6": replace(PLAIN, defocus_change_um=0.6),
    "beam edge": replace(PLAIN, beam_edge=4.0),
    "moving beam edge": replace(PLAIN, beam_edge=25.0),
    "foil round the hole": replace(PLAIN, foil="hole", carbon=0.0, overlap=(0.5, 0.95)),
    "carbon foil round the hole": replace(PLAIN, foil="hole", carbon_foil=True, carbon=0.0, overlap=(0.5, 0.95)),
    "foil at one side": replace(PLAIN, foil="side", carbon=0.0),
    "carbon foil at one side": replace(PLAIN, foil="side", carbon_foil=True, carbon=0.0),
    "crowded": replace(PLAIN, layer="crowded", carbon=0.0),
    "crystals": replace(PLAIN, layer="crystal", carbon=0.0),
    "crystals at one angle": replace(PLAIN, layer="crystal at one angle", carbon=0.0),
    "filaments": replace(PLAIN, layer="filaments"),
    "vesicles": replace(PLAIN, layer="vesicles"),
    "flakes": replace(PLAIN, flakes=6),
    "large flakes": replace(PLAIN, flakes=-3),
    "hot pixels": replace(PLAIN, hot_pixels=60, x_rays=15),
    "dead columns": replace(PLAIN, dead_columns=3),
    "ice gradient": replace(PLAIN, ice_gradient=1.0),
    "failed dose": replace(PLAIN, failed=10, blank=3),
    "rotation 0.3": replace(PLAIN, turn=0.3),
    "rotation 0.5": replace(PLAIN, turn=0.5),
    "magnification 0.5 %": replace(PLAIN, magnification=0.005),
    "magnification 1 %": replace(PLAIN, magnification=0.01),
    "rotation 2": replace(PLAIN, turn=2.0),
    "rotation 3": replace(PLAIN, turn=3.0),
    "tilt 30": replace(PLAIN, tilt=30.0),
    "tilt 40": replace(PLAIN, tilt=40.0),
    "second visit tilted 20": replace(PLAIN, second_tilt=20.0),
    "second visit tilted 30": replace(PLAIN, second_tilt=30.0),
    "second visit damaged": replace(PLAIN, second_dose=0.5, damage_b_a2=160, damage_move_a=5, damage_contrast=0.75),
    "montage 10 %": replace(PLAIN, montage=0.1, frames=49, repeats=0, carbon=0.0),
    "montage 20 %": replace(PLAIN, montage=0.2, frames=49, repeats=0, carbon=0.0),
    "2 frames": replace(PLAIN, frames=2, repeats=1),
    "3 frames": replace(PLAIN, frames=3, repeats=1),
    "5 frames": replace(PLAIN, frames=5, repeats=1),
    "10 frames": replace(PLAIN, frames=10, repeats=2),
    "24 frames": replace(PLAIN, frames=24, repeats=3),
    "30 frames": replace(PLAIN, frames=30, repeats=3),
    "exact copies": replace(PLAIN, versions="copy"),
    "dose-weighted": replace(PLAIN, versions="dose-weighted"),
    "even and odd": replace(PLAIN, versions="halves"),
    "triples and flats": replace(PLAIN, triple=True, failed=3, blank=2),
    "frames around zero": replace(PLAIN, around_zero=True),
}
ANGLES = {"rotation 2": 3.0, "rotation 3": 3.5}
"""Kinds that are searched with `--search-angle`."""

MIXED = "mixed"
"""Sessions that have several of these at once, in another mixture for each seed."""


def kind_of(name: str, seed: int) -> Kind:
    """The kind of a session."""
    return _mixed(np.random.default_rng([seed, 123])) if name == MIXED else KINDS[name]


def _mixed(rng: np.random.Generator) -> Kind:
    few, many = sorted(rng.integers(40, 500, 2))
    layers = ["random", "random", "crowded", "crystal", "filaments", "vesicles"]
    always: dict[str, Any] = {
        "snr": rng.uniform(0.04, 0.15),
        "particles": (int(few), int(many)),
        "layer": str(rng.choice(layers)),
        "pattern": rng.uniform(0.5, 2),
        "defocus_change_um": rng.uniform(0, 0.5),
        "carbon": float(rng.choice([0, 0.3])),
    }
    foil: dict[str, Any] = {
        "foil": str(rng.choice(["hole", "side"])),
        "carbon_foil": bool(rng.random() < 0.5),
        "foil_jitter": float(rng.choice([5, 15, 40])),
    }
    sometimes: list[tuple[float, dict[str, Any]]] = [
        (0.4, {"beam_edge": float(rng.choice([3, 10, 30]))}),
        (0.4, foil),
        (0.5, {"flakes": int(rng.choice([3, 8, -2, -4]))}),
        (0.3, {"hot_pixels": 40, "x_rays": 10, "dead_columns": 2}),
        (0.3, {"ice_gradient": rng.uniform(0.3, 1.5)}),
        (0.3, {"turn": rng.uniform(0, 0.5)}),
        (0.3, {"second_dose": rng.uniform(0.4, 1)}),
    ]
    for share, some in sometimes:
        always |= some if rng.random() < share else {}
    return replace(PLAIN, **always)

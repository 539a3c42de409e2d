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
    ``second_tilt``: of the stage, told by SerialEM's files; ``exposures``: how often each area is exposed, one after the other;
    ``spot``: how many exposures show one area, ``spots``: how many such areas there are, ``jitter``: standard deviation of the shifts among
    these; ``odd_gain``: how many frames have another gain reference, ``odd_gains``: one of so many, ``odd_residual``: its relative
    residual, whose coarse part is ``odd_coarse`` of it (its fine part has the rest of the variance);
    ``flipped``: which frames are stored in another orientation;
    ``texture_moves``: standard deviation of how far the camera's pattern moves; ``phase_plate``: phase shift of 90 degrees.
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
    exposures: int = 1
    spot: int = 0
    spots: int = 1
    jitter: float = 0.0
    odd_gain: int = 0
    odd_gains: int = 1
    odd_residual: float = 0.0
    odd_coarse: float = 0.6
    flipped: str = ""
    texture_moves: float = 0.0
    phase_plate: bool = False


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
STILL = replace(PLAIN, repeats=0, frames=60, exposures=3)
SPOT = replace(PLAIN, repeats=0, frames=50, spot=10, jitter=1.5)
UNTRUE: dict[str, Kind] = {
    "two exposures of each area": replace(STILL, exposures=2, frames=56),
    "three exposures of each area": STILL,
    "three exposures of dim areas": replace(STILL, snr=0.03, particles=(40, 100), carbon=0.0),
    "four exposures that drift by 0.5 px": replace(STILL, exposures=4, frames=96, jitter=0.5),
    "ten exposures of one spot": SPOT,
    "ten exposures of one spot of 160": replace(SPOT, frames=160),
    "ten exposures around one spot": replace(SPOT, jitter=40.0),
    "ten exposures of one spot without a move": replace(SPOT, jitter=0.0),
    "three triples without a move": replace(SPOT, frames=48, spot=3, spots=3, jitter=0.0),
    "half of one spot": replace(SPOT, frames=40, spot=20),
    "three quarters of one spot": replace(SPOT, frames=40, spot=30),
    "nothing but four spots": replace(SPOT, frames=48, spot=12, spots=4, jitter=0.0),
    "nothing but two spots": replace(SPOT, frames=40, spot=20, spots=2),
    "nothing but one spot": replace(SPOT, frames=40, spot=40),
    "nothing but one spot without a move": replace(SPOT, frames=40, spot=40, jitter=0.0),
    "two frames of another gain": replace(PLAIN, frames=48, repeats=4, odd_gain=2, odd_residual=0.02),
    "three frames of another gain": replace(PLAIN, frames=48, repeats=4, odd_gain=3, odd_residual=0.01),
    "four frames of another gain without visits": replace(PLAIN, frames=48, repeats=0, odd_gain=4, odd_residual=0.02),
    "five gains of two frames": replace(PLAIN, frames=48, repeats=0, odd_gain=10, odd_gains=5, odd_residual=0.02),
    "five coarse gains of two frames": replace(PLAIN, frames=48, repeats=4, odd_gain=10, odd_gains=5, odd_residual=0.02, odd_coarse=0.9),
    "smooth gain of four frames": replace(PLAIN, frames=48, repeats=4, odd_gain=4, odd_gains=2, odd_residual=0.006, odd_coarse=1.0),
    "smooth gain of half": replace(PLAIN, frames=48, repeats=0, odd_gain=24, odd_residual=0.01, odd_coarse=1.0),
    "half flipped": replace(PLAIN, flipped="half"),
    "second visits flipped": replace(PLAIN, flipped="second"),
    "second visits turned by 180": replace(PLAIN, flipped="turned"),
    "viruses": replace(PLAIN, layer="viruses", carbon=0.0),
    "large viruses": replace(PLAIN, layer="large viruses", carbon=0.0, snr=0.15, second_dose=0.5),
    "tubes": replace(PLAIN, layer="tubes", carbon=0.0),
    "tubes at one angle": replace(PLAIN, layer="tubes at one angle", carbon=0.0),
    "gold beads in empty ice": replace(PLAIN, layer="beads", particles=(0, 0), carbon=0.0),
    "phase plate": replace(PLAIN, phase_plate=True),
    "camera texture moves by 6 px": replace(PLAIN, pattern=6.0, texture_moves=6.0),
    "camera texture moves by 30 px": replace(PLAIN, pattern=6.0, texture_moves=30.0),
    "lattice of holes": replace(PLAIN, foil="lattice", carbon=0.0, foil_jitter=1.0),
}
"""Sessions of which something that the null distribution takes for granted is not true."""
KINDS |= UNTRUE
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

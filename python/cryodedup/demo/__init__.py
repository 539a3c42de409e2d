"""Simulated sessions with planted duplicates, small and quick to make."""

from cryodedup.demo.micrographs import make_micrographs
from cryodedup.demo.particles import make_session

__all__ = ["make_micrographs", "make_session"]

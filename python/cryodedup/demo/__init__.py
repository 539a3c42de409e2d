"""Simulated sessions with planted duplicates, small and quick to make."""

from cryodedup.demo.micrographs import make_micrographs
from cryodedup.demo.particles import make_session
from cryodedup.demo.refined import make_refined

__all__ = ["make_micrographs", "make_refined", "make_session"]

"""Analysis of the particles: distances, half-sets, and agreement of pickers."""

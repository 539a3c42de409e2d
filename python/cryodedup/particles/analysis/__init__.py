"""What the particles show: distances, half-sets, which pickers agree."""

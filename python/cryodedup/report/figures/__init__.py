"""The figures, one a module: what it shows as frozen data, taken from a result, and its drawing. Files in ``figures/`` have their names."""

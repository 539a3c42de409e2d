"""File formats: what a file holds, one format a module, no decisions."""

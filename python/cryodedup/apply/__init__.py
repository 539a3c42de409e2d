"""The choice of an earlier run, applied to other files of the project."""

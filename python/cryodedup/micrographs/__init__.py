"""Finding micrographs that show the same hole."""

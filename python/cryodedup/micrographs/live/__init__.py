"""Micrographs during data collection: each new one is compared with all earlier ones as it comes."""

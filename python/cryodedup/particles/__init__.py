"""Duplicate particles: from files or tables of picks to the ones that stay."""

"""Writing results: one way for every job, and for each job what is particular to it."""

"""The job in stages, each of which any number of processes or machines can share, and any of which can be killed and run again."""

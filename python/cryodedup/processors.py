"""What of the machine this process may use."""

import os


def processors() -> int:
    """How many processors: those that a scheduler gave, where the system says it, else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

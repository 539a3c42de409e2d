"""What of the machine's processors this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryodedup import _core
from cryodedup.control_groups import PROC, groups, numbers

SLURM = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")
"""What a Slurm job asked for; not every cluster binds its jobs to these processors."""


def processors(environment: Mapping[str, str] = os.environ, proc: Path = PROC) -> int:
    """How many processors this process may use, at least 1: the smallest number of those that limit it.

    These are the processors that it is bound to, the quotas of its control groups, and what Slurm gave its job. The processors of the
    machine count only where the system names no others.

    Parameters
    ----------
    environment
        The variables of the process.
    proc
        Where the system describes the process.
    """
    return max(1, min([_bound_to(), *_of_slurm(environment), *_quotas(proc)]))


def tell_core() -> None:
    """Makes this number the threads of the core where none is given."""
    _core.set_processors(processors())


def _bound_to() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _of_slurm(environment: Mapping[str, str]) -> Iterator[int]:
    for name in SLURM:
        value = environment.get(name, "")
        if value.isdecimal() and int(value):
            yield int(value)


def _quotas(proc: Path) -> Iterator[int]:
    """Whole processors that the quotas allow; half a one more would only make the threads wait for each other."""
    allowed = [numbers(group / "cpu.max") for group in groups("cpu", 2, proc)]
    for group in groups("cpu", 1, proc):
        allowed += [numbers(group / "cpu.cfs_quota_us") + numbers(group / "cpu.cfs_period_us")]
    for quota_and_period in allowed:
        if len(quota_and_period) == 2 and quota_and_period[1]:
            yield quota_and_period[0] // quota_and_period[1]

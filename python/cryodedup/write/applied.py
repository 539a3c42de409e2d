"""Writing the choice of an earlier run for other files."""

from __future__ import annotations

from pathlib import Path

from cryodedup.apply.result import SCHEMA, AppliedChoice
from cryodedup.names import Spell, as_parameters
from cryodedup.progress import SILENT, Progress
from cryodedup.write.job import Delivered, Job, deliver


def write_applied(
    applied: AppliedChoice, directory: Path, *, overwrite: bool = False, spell: Spell = as_parameters, progress: Progress = SILENT
) -> Delivered:
    """Writes the kept and the rejected rows of each file, and ``summary.json``; see :func:`cryodedup.write.particles.write_particles`.

    Raises
    ------
    InputError
        The directory is that of the earlier result.
    """
    applied.refuse_own(directory)
    job = Job(
        schema=SCHEMA,
        inputs=applied.inputs,
        spell=spell,
        rows=lambda staging: applied.write_rows(staging, directory, progress),
        listings=lambda staging: None,
        page=None,
        summary=lambda written: applied.summary(written.outputs),
    )
    return deliver(job, directory, overwrite)

"""The Python interface: the three jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cryodedup.apply.workflow import apply_earlier
from cryodedup.frozen import frozen
from cryodedup.micrographs import workflow as micrograph_workflow
from cryodedup.micrographs.decide import Withheld
from cryodedup.names import as_parameters
from cryodedup.params import Match, MicrographParams, ParticleParams, chosen
from cryodedup.particles import workflow as particle_workflow
from cryodedup.progress import SILENT, Progress
from cryodedup.results import Applied, MicrographResult, ParticleResult
from cryodedup.summary_file import with_texts

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cryodedup.params.keywords import MicrographKeywords, ParticleKeywords

Result = TypeVar("Result")


def deduplicate_particles(
    particles: Any, params: ParticleParams | None = None, *, progress: Progress = SILENT, **parameters: Unpack[ParticleKeywords]
) -> ParticleResult:
    """Finds the duplicates among the particles of files or tables.

    Parameters
    ----------
    particles
        A path or several (``.star``, ``.cs``, ``.csg``, ``.box``, ``.cbox``, Topaz ``.txt``, RELION's index of coordinate files, folders
        of picks), or a table: what ``starfile.read`` or ``cryosparc.dataset.Dataset.load`` return, or several of these.
    params
        What counts as a duplicate and which one stays; see :class:`ParticleParams`.
    progress
        Listens to the job, see :class:`~cryodedup.progress.Progress`.
    **parameters
        Fields of :class:`ParticleParams`, such as ``min_separation_a=80``; they replace those of ``params``.

    Returns
    -------
    :class:`ParticleResult`: masks, tables, summary; ``write(directory)`` writes what the command line writes.

    Raises
    ------
    InputError
        One line: which file, row or field, what was found, what was expected.

    Examples
    --------
    >>> import numpy as np
    >>> picks = np.zeros(3, [("uid", "u8"), ("location/micrograph_path", "S9"), ("location/micrograph_shape", "u4", 2),
    ...                      ("location/center_x_frac", "f4"), ("location/center_y_frac", "f4")])
    >>> picks["uid"], picks["location/micrograph_path"], picks["location/micrograph_shape"] = [1, 2, 3], b"a.mrc", 4000
    >>> picks["location/center_x_frac"] = [0.500, 0.501, 0.600]
    >>> result = deduplicate_particles(picks, min_separation_a=20, pixel_size_a=1.0)
    >>> result.kept
    array([ True, False,  True])
    """
    found = particle_workflow.find_duplicates(particles, chosen(params, ParticleParams, parameters), progress)
    return _as(ParticleResult, found, warnings=tuple(map(as_parameters, found.warnings)), notes=tuple(map(as_parameters, found.notes)))


def find_duplicate_micrographs(
    micrographs: str | PathLike[str] | Sequence[str | PathLike[str]],
    params: MicrographParams | None = None,
    *,
    cache: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
    **parameters: Unpack[MicrographKeywords],
) -> MicrographResult:
    """Finds micrographs that show the same hole.

    Parameters
    ----------
    micrographs
        A STAR file or CryoSPARC dataset of micrographs, a folder, or any number of ``.mrc`` (``.gz``, ``.bz2``) or ``.tif`` files or
        patterns.
    params
        See :class:`MicrographParams`.
    cache
        A file for the prepared micrographs; None: a temporary one.
    resume
        Use what ``cache`` holds already, and read only other micrographs.
    progress
        Listens to the job, see :class:`~cryodedup.progress.Progress`.
    **parameters
        Fields of :class:`MicrographParams`, such as ``bin=4``; they replace those of ``params``.

    Returns
    -------
    :class:`MicrographResult`: pairs, sets, which stay; ``write(directory)`` writes what the command line writes.

    Raises
    ------
    InputError
        One line: which file or parameter, what was found, what was expected. A single unreadable image is no error: the result names it.
    """
    chosen_params = chosen(params, MicrographParams, parameters)
    found = micrograph_workflow.find_duplicates(micrographs, chosen_params, cache=cache, resume=resume, progress=progress)
    withheld = None if found.withheld is None else Withheld(*map(as_parameters, (found.withheld.reason, found.withheld.options)))
    return _as(
        MicrographResult,
        found,
        warnings=tuple(map(as_parameters, found.warnings)),
        withheld=withheld,
        unreadable=frozen(with_texts(found.unreadable, as_parameters)),
    )


def apply_choice(
    directory: Path | str,
    files: Path | str | Iterable[Path | str],
    *,
    flip_y: bool | None = None,
    match: Match | None = None,
    threads: int = 0,
    progress: Progress = SILENT,
) -> Applied:
    r"""Applies the choice of an earlier run to other files of the project.

    Parameters
    ----------
    directory
        Where ``cryodedup particles`` or ``cryodedup micrographs`` wrote its result.
    files
        After ``micrographs``: STAR files of movies, micrographs, particles or pick files, CryoSPARC datasets and groups of exposures or
        particles, lists of names (``.txt``). After ``particles``: files of particles, or of picks, of any format.
    flip_y
        Count y of CryoSPARC files from the other edge; None: as the earlier run did.
    match
        How micrographs are matched: ``auto``, ``path``, ``name`` or ``uid``, see :class:`~cryodedup.ParticleParams`; None: as the earlier
        run did.
    threads
        0: one a processor. The result does not depend on it.
    progress
        Listens to the job, see :class:`~cryodedup.progress.Progress`.

    Returns
    -------
    :class:`Applied`: masks and counts of each file; ``write(directory)`` writes what the command line writes.
    Rows that the earlier run never saw stay, and are counted; so are rows with two contradicting verdicts.

    Raises
    ------
    InputError
        A directory without a whole result of kept and rejected rows; a file of another kind than the result can be applied to; a file of
        which no row is in the result; a name that fits two micrographs.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> where = Path(mkdtemp())
    >>> head = "data_particles\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n"
    >>> _ = (where / "picked.star").write_text(head + "a.mrc 100 100\na.mrc 104 100\nb.mrc 104 100\n")
    >>> _ = (where / "polished.star").write_text(head + "b.mrc 104.0 100.0\na.mrc 104.0 100.0\nc.mrc 1.0 1.0\n")
    >>> result = deduplicate_particles(where / "picked.star", ParticleParams(pixel_size_a=1.0))
    >>> _ = result.write(where / "clean", report=False)
    >>> (file,) = apply_choice(where / "clean", where / "polished.star").files
    >>> file.kept, int(file.not_found.sum())
    (array([ True, False,  True]), 1)
    """
    found = apply_earlier(Path(directory), files, flip_y=flip_y, match=match, threads=threads, progress=progress)
    return _as(
        Applied,
        found,
        files=tuple(replace(one, match=replace(one.match, warnings=tuple(map(as_parameters, one.match.warnings)))) for one in found.files),
    )


def _as(kind: type[Result], found: Any, **others: Any) -> Result:
    """The same values as an object of a class that adds to theirs; ``others`` replace some."""
    return kind(**{one.name: getattr(found, one.name) for one in fields(found)} | others)

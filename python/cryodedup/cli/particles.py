"""``cryodedup particles``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from cryodedup.cli import options
from cryodedup.cli.console import say
from cryodedup.cli.options import EACH_ONES
from cryodedup.cli.particle_lines import show, show_advice
from cryodedup.cli.progress import Display
from cryodedup.errors import InputError
from cryodedup.formats.output import NOT_WRITTEN
from cryodedup.names import as_options
from cryodedup.output_directory import check_directory
from cryodedup.params import ParticleParams
from cryodedup.particles.forecast import Forecast
from cryodedup.particles.summary import summarise
from cryodedup.particles.workflow import find_duplicates
from cryodedup.write.job import Delivered
from cryodedup.write.particles import write_particles

click.rich_click.OPTION_GROUPS["cryodedup particles"] = options.groups(
    ParticleParams, Running=["--dry-run", "--advise", "--diameter", "--write", *EACH_ONES]
)


@click.command(no_args_is_help=True)
@options.inputs
@options.output
@options.of_params(ParticleParams)
@options.overwrite
@options.no_report
@options.as_json
@click.option("--dry-run", is_flag=True, help="Print what would be rejected; write nothing.")
@click.option(
    "--advise",
    is_flag=True,
    help="Suggest a minimum separation from the nearest-neighbour distances, and print how many particles others keep; write nothing.",
)
@click.option(
    "--write",
    "written_as",
    type=click.Choice(["star"]),
    help="Write all kept particles also as one STAR table, and as one index of coordinate files for RELION's Extract job (star).",
)
@options.quiet
@click.pass_obj
def particles(
    command: str | None,
    /,
    inputs: tuple[Path, ...],
    output: Path | None,
    overwrite: bool,
    no_report: bool,
    as_json: bool,
    dry_run: bool,
    advise: bool,
    written_as: str | None,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Reject duplicate particles, and keep the best pick of each particle.

    INPUT... are any number of RELION .star files (particles, autopick indices, optimisation sets), CryoSPARC .cs or .csg files, folders or
    files of crYOLO .cbox and EMAN .box, Topaz .txt, .csv (micrograph, x, y), Dynamo .tbl, STOPGAP motive lists and IMOD points, in any
    combination. If a .cs file has no locations, give its passthrough file as well: the two are joined by uid.

    Example: cryodedup particles relion.star J12/particles.csg --min-separation 80 -o clean
    """
    writes = not (dry_run or advise)
    if output is None and writes:
        raise InputError(kind="parameter", expected="-o DIR, a directory for the results (or --dry-run)")
    params = ParticleParams(**options.given(ParticleParams, chosen))
    if output is not None and writes:
        check_directory(output, overwrite)
    with Display(sum(path.stat().st_size for path in inputs if path.is_file()), quiet=quiet) as display:
        found = find_duplicates(list(inputs), params, display, output=output if writes else None)
        delivered = Delivered([], summarise(found, NOT_WRITTEN))
        if output is not None and writes:
            display.stage("writing")
            how = {"overwrite": overwrite, "report": not no_report, "as_star": written_as == "star"}
            delivered = write_particles(found, output, command=command, spell=as_options, progress=display, **how)
    if advise:
        show_advice(found, as_json=as_json)
    elif as_json:
        expected = {"forecast": Forecast.of(found.joined.picks).summary()} if dry_run else {}
        options.show_json({**delivered.summary, **expected})
    elif not quiet:
        show(found, delivered)
        if dry_run:
            say(str(Forecast.of(found.joined.picks)))

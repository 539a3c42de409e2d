"""``cryodedup demo``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from cryodedup.cli.particles import show
from cryodedup.demo import MIN_SEPARATION_A, make_session
from cryodedup.directory import check_directory
from cryodedup.errors import InputError
from cryodedup.params import ParticleParams
from cryodedup.particles.workflow import deduplicate_particles


@click.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Directory for the session and the results."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the simulated session.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier demo in DIR.")
def demo(output: Path, seed: int, overwrite: bool) -> None:
    """Make a small session of three pickers with planted duplicates, and find them."""
    results = output / "particles"
    check_directory(results, overwrite)
    if (output / "session").exists() and not overwrite:
        raise InputError(f"{output / 'session'}: found an earlier session; choose another --output, or add --overwrite")
    session = make_session(output / "session", seed)
    names = " ".join(str(path) for path in session.paths)
    print(f"$ cryodedup particles {names} --min-separation {MIN_SEPARATION_A:g} -o {results}")
    result = deduplicate_particles(list(session.paths), ParticleParams(min_separation_a=MIN_SEPARATION_A))
    show(result, result.write(results, overwrite=overwrite))
    found = session.compare(result)
    print()
    print(f"planted: {found.planted:,} duplicate picks of {found.true_particles:,} particles, and {found.false_picks:,} picks of nothing")
    print(f"found:   {found.found:,} of them ({100 * found.found / found.planted:.2f} %); {found.extra:,} other picks were rejected")
    print(f"particles still there: {found.represented:,} of the {found.picked:,} that any picker found")

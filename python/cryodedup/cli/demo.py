"""``cryodedup demo``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from cryodedup.cli import micrographs, particles
from cryodedup.demo.micrographs import BIN, make_micrographs
from cryodedup.demo.particles import MIN_SEPARATION_A, make_session
from cryodedup.directory import check_directory
from cryodedup.errors import InputError
from cryodedup.micrographs.workflow import find_duplicate_micrographs
from cryodedup.params import MicrographParams, ParticleParams
from cryodedup.particles.workflow import deduplicate_particles


@click.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Directory for the sessions and the results."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the simulated sessions.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier demo in DIR.")
def demo(output: Path, seed: int, overwrite: bool) -> None:
    """Make small sessions with planted duplicates, of particles and of micrographs, and find them."""
    for name in ("particles", "unique"):
        check_directory(output / name, overwrite)
    if (output / "session").exists() and not overwrite:
        raise InputError(f"{output / 'session'}: found an earlier session; choose another --output, or add --overwrite")
    _particles(output, seed, overwrite)
    print()
    _micrographs(output, seed, overwrite)


def _particles(output: Path, seed: int, overwrite: bool) -> None:
    session = make_session(output / "session", seed)
    results = output / "particles"
    names = " ".join(str(path) for path in session.paths)
    print(f"$ cryodedup particles {names} --min-separation {MIN_SEPARATION_A:g} -o {results}")
    result = deduplicate_particles(list(session.paths), ParticleParams(min_separation_a=MIN_SEPARATION_A))
    particles.show(result, result.write(results, overwrite=overwrite))
    found = session.compare(result)
    print()
    print(f"planted: {found.planted:,} duplicate picks of {found.true_particles:,} particles, and {found.false_picks:,} picks of nothing")
    print(f"found:   {found.found:,} of them ({100 * found.found / found.planted:.2f} %); {found.extra:,} other picks were rejected")
    print(f"particles still there: {found.represented:,} of the {found.picked:,} that any picker found")


def _micrographs(output: Path, seed: int, overwrite: bool) -> None:
    planted = make_micrographs(output / "session", seed)
    results = output / "unique"
    print(f"$ cryodedup micrographs {planted.star} --bin {BIN} -o {results}")
    result = find_duplicate_micrographs(planted.star, MicrographParams(bin=BIN))
    micrographs.show(result, result.write(results, overwrite=overwrite))
    found, others, error = planted.compare(result)
    print()
    print(f"planted: {len(planted.pairs)} micrographs that show what another one shows")
    print(f"found:   {found} of them, the moves right to {error:.1f} px; {others} others")

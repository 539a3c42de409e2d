"""``cryodedup demo``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rich_click as click

from cryodedup.cli import micrographs, particles
from cryodedup.demo.micrographs import BIN, Planted, make_micrographs
from cryodedup.demo.particles import MIN_SEPARATION_A, Session, make_session
from cryodedup.demo.refined import Refined, make_refined
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
    """Make small sessions with planted duplicates, of picks, micrographs and refined particles, and find them."""
    for name in ("particles", "unique", "refined"):
        check_directory(output / name, overwrite)
    session = output / "session"
    if session.exists() and not overwrite:
        raise InputError(f"{session}: found an earlier session; choose another --output, or add --overwrite")
    _particles(make_session(session, seed), output / "particles", overwrite)
    planted = make_micrographs(session, seed)
    _micrographs(planted, output / "unique", overwrite)
    _refined(make_refined(planted, seed), planted.star, output / "refined", overwrite)


def _particles(session: Session, results: Path, overwrite: bool) -> None:
    with _typed("particles", *session.paths, "--min-separation", f"{MIN_SEPARATION_A:g}", "-o", results) as command:
        result = deduplicate_particles(list(session.paths), ParticleParams(min_separation_a=MIN_SEPARATION_A))
        particles.show(result, result.write(results, overwrite=overwrite, command=command))
    found = session.compare(result)
    print(f"planted: {found.planted:,} duplicate picks of {found.true_particles:,} particles, and {found.false_picks:,} picks of nothing")
    print(f"found:   {found.found:,} of them ({100 * found.found / found.planted:.2f} %); {found.extra:,} other picks were rejected")
    print(f"particles still there: {found.represented:,} of the {found.picked:,} that any picker found\n")


def _micrographs(planted: Planted, results: Path, overwrite: bool) -> None:
    with _typed("micrographs", planted.star, "--bin", BIN, "-o", results) as command:
        result = find_duplicate_micrographs(planted.star, MicrographParams(bin=BIN))
        micrographs.show(result, result.write(results, overwrite=overwrite, command=command))
    found, others, error = planted.compare(result)
    print(f"planted: {len(planted.pairs)} micrographs that show what another one shows")
    print(f"found:   {found} of them, the moves right to {error:.1f} px; {others} others\n")


def _refined(refined: Refined, images: Path, results: Path, overwrite: bool) -> None:
    with _typed("particles", refined.path, "--min-separation", f"{MIN_SEPARATION_A:g}", "--micrographs", images, "-o", results) as command:
        result = deduplicate_particles(refined.path, ParticleParams(min_separation_a=MIN_SEPARATION_A, micrographs=images))
        particles.show(result, result.write(results, overwrite=overwrite, command=command))
    twice, found, others = refined.compare(result)
    print(f"planted: {twice:,} particles that were picked twice, and drifted together")
    print(f"found:   {found:,} of them; {others} others")


@contextmanager
def _typed(*arguments: object) -> Iterator[str]:
    """Shows a command, which the page gives as the one that was typed."""
    command = shlex.join(["cryodedup", *map(str, arguments)])
    print(f"$ {command}")
    yield command
    print()

"""``cryodedup demo``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import rich_click as click

from cryodedup.cli import micrographs, options, particles
from cryodedup.cli.console import say
from cryodedup.demo.micrographs import BIN, Planted, make_micrographs
from cryodedup.demo.particles import MIN_SEPARATION_A, Session, make_session
from cryodedup.demo.refined import Refined, make_refined
from cryodedup.errors import InputError, naming
from cryodedup.micrographs import workflow as micrograph_workflow
from cryodedup.names import as_options
from cryodedup.output_directory import check_directory
from cryodedup.params import MicrographParams, ParticleParams
from cryodedup.particles import workflow as particle_workflow
from cryodedup.particles.result import ParticleOutcome
from cryodedup.write.micrographs import write_micrographs
from cryodedup.write.particles import write_particles

UNFINISHED = "UNFINISHED.txt"
"""Stands in the directory until sessions and results fit each other: each result appears whole, but they are several."""


@click.command()
@click.option(
    "-o",
    "--output",
    type=options.Output(),
    required=True,
    metavar="DIR",
    help="Write the sessions and the results into this directory.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Set the random seed of the simulation.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier demo in DIR.")
def demo(output: Path, seed: int, overwrite: bool) -> None:
    """Simulate small sessions of picks, micrographs and refined particles with planted duplicates, and find the duplicates."""
    for name in ("particles", "unique", "refined"):
        check_directory(output / name, overwrite)
    session, unfinished = output / "session", output / UNFINISHED
    if session.exists() and not overwrite:
        raise InputError(kind="exists", path=session, found="an earlier session", remedy="choose another --output, or add --overwrite")
    output.mkdir(parents=True, exist_ok=True)
    with naming(unfinished):
        unfinished.write_text("The demo was stopped before its end. Run it again with --overwrite.\n", "utf-8")
    _particles(make_session(session, seed), output / "particles", overwrite)
    planted = make_micrographs(session, seed)
    _micrographs(planted, output / "unique", overwrite)
    _refined(make_refined(planted, seed), planted.star, output / "refined", overwrite)
    unfinished.unlink()


def _particles(session: Session, results: Path, overwrite: bool) -> None:
    params = ParticleParams(min_separation_a=MIN_SEPARATION_A)
    _run_particles(list(session.paths), params, [], results, overwrite, lambda found: _of_picks(session, found))


def _refined(refined: Refined, images: Path, results: Path, overwrite: bool) -> None:
    params = ParticleParams(min_separation_a=MIN_SEPARATION_A, micrographs=images)
    _run_particles([refined.path], params, ["--micrographs", images], results, overwrite, lambda found: _of_refined(refined, found))


def _run_particles(
    paths: Sequence[Path],
    params: ParticleParams,
    options: Sequence[object],
    results: Path,
    overwrite: bool,
    compare: Callable[[ParticleOutcome], list[str]],
) -> None:
    command = _show_command("particles", *paths, "--min-separation", f"{params.min_separation_a:g}", *options, "-o", results)
    found = particle_workflow.find_duplicates(list(paths), params)
    particles.show(found, write_particles(found, results, overwrite=overwrite, command=command, spell=as_options))
    say("", *compare(found))


def _of_picks(session: Session, found: ParticleOutcome) -> list[str]:
    of = session.compare(found)
    return [
        f"planted: {of.planted:,} duplicate picks of {of.true_particles:,} particles, and {of.false_picks:,} false picks",
        f"found:   {of.found:,} of them ({100 * of.found / of.planted:.2f} %); {of.extra:,} other picks were rejected",
        f"kept:    at least one pick for {of.represented:,} of the {of.picked:,} particles that were picked",
        "",
    ]


def _of_refined(refined: Refined, found: ParticleOutcome) -> list[str]:
    twice, right, others = refined.compare(found)
    return [
        f"planted: {twice:,} particles that were picked twice and refined to one position",
        f"found:   {right:,} of them; {others} others rejected",
    ]


def _micrographs(planted: Planted, results: Path, overwrite: bool) -> None:
    command = _show_command("micrographs", planted.star, "--bin", BIN, "-o", results)
    found = micrograph_workflow.find_duplicates(planted.star, MicrographParams(bin=BIN))
    micrographs.show(found, write_micrographs(found, results, overwrite=overwrite, command=command, spell=as_options))
    right, others, error = planted.compare(found)
    say("", f"planted: {len(planted.pairs)} micrographs that show the same area as another one")
    say(f"found:   {right} of them, with shifts correct to {error:.1f} px; {others} other pairs", "")


def _show_command(*arguments: object) -> str:
    """Prints the command that does the same."""
    command = shlex.join(["cryodedup", *map(str, arguments)])
    say(f"$ {command}")
    return command

"""Writes the scripts of a job: one for each stage, from a template that the site can change, and one that submits them."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryodedup._core import __version__
from cryodedup.errors import InputError
from cryodedup.slurm.requests import Job, Site, Stage

SUBMIT = "submit.sh"
_TEMPLATES = Path(__file__).parent / "templates"
_STAGE, _SUBMIT = "stage.sh.j2", "submit.sh.j2"
WITHHELD = 3
"""Exit status of a run that is done, but whose result is withheld."""


def template() -> str:
    """The template of a stage's script."""
    return (_TEMPLATES / _STAGE).read_text("utf-8")


def write_scripts(job: Job, site: Site) -> list[Path]:
    """Writes the scripts into the job's folder, and returns their paths, that of :data:`SUBMIT` last.

    The job's last stage is then to be done, even if it was done by earlier scripts; what the others did counts.

    Raises
    ------
    InputError
        The site's template cannot be filled, or a path cannot stand in a script.
    OSError
        A file cannot be written.
    """
    _check_paths(job)
    texts = {f"{stage.name}.sh": _of_stage(job, stage, site) for stage in job.stages}
    texts[SUBMIT] = _filled(
        (_TEMPLATES / _SUBMIT).read_text("utf-8"), _TEMPLATES / _SUBMIT, {"job": job, "submit": job.folder / SUBMIT, "version": __version__}
    )
    job.logs.mkdir(parents=True, exist_ok=True)
    job.marks.mkdir(parents=True, exist_ok=True)
    (job.marks / job.stages[-1].name).unlink(missing_ok=True)
    return [_put(job.folder / name, text) for name, text in texts.items()]


def submit_script(job: Job) -> int:
    """Submits what is missing of a job; returns the exit status of the script that does it, which says what went wrong."""
    return subprocess.run(["sh", job.folder / SUBMIT], check=False).returncode


def check_word(word: str, what: str) -> None:
    """Refuses what cannot stand in a line of a script."""
    if any(char in word for char in "\n\r\0"):
        raise InputError(kind="parameter", field=what, found=f"a line break in {word!r}", expected="none in a script for Slurm")


def _check_paths(job: Job) -> None:
    for path in (job.directory, job.output):
        check_word(str(path), "directory")
    if "\\" in str(job.output):
        raise InputError(
            kind="parameter",
            path=job.output,
            found="a backslash, which has a special meaning in the names of Slurm's logs",
            remedy="choose another --output",
        )


def _of_stage(job: Job, stage: Stage, site: Site) -> str:
    work = "\n".join(_work(job, stage))
    values = {
        "version": __version__,
        "stage": stage.name,
        "tasks": stage.tasks,
        "request": stage.request,
        "site": site,
        "log": f"{str(job.logs).replace('%', '%%')}/%x-{'%j' if stage.tasks is None else '%A_%a'}.out",
        "directory": job.directory,
        "work": work,
    }
    if site.template is None:
        return _filled(template(), _TEMPLATES / _STAGE, values)
    text = _filled(_own(site.template), site.template, values)
    if work not in text:
        raise InputError(kind="malformed", path=site.template, found="no {{ work }}", expected="it where the script runs the command")
    return text


def _work(job: Job, stage: Stage) -> list[str]:
    """The lines that do the work; a stage that runs takes away the mark of the one that follows, which is then to run again."""
    last = stage is job.stages[-1]
    mark = f'"$marks/{stage.name}"' if stage.tasks is None else f'"$marks/{stage.name}-$SLURM_ARRAY_TASK_ID"'
    shard = [] if stage.tasks is None else [f'--shard="$SLURM_ARRAY_TASK_ID/{stage.tasks}"']
    command = " ".join([shlex.join(stage.command), *shard, "--", shlex.join(stage.inputs)])
    begin = [f"marks={shlex.quote(str(job.marks))}", 'mkdir -p "$marks"', f"rm -f {' '.join([mark, *_mark_after(job, stage)])}"]
    if not last:
        return [*begin, command, f"touch {mark}"]
    return [
        *begin,
        "status=0",
        f"{command} || status=$?",
        f"# Exit status {WITHHELD}: the run is done, but its result is withheld, since a limit was exceeded.",
        f'case "$status" in 0|{WITHHELD}) touch {mark} ;; esac',
        'exit "$status"',
    ]


def _mark_after(job: Job, stage: Stage) -> list[str]:
    """The marks of the stage that follows, as the shell takes them."""
    return [
        f'"$marks/{after.name}"' + ("*" if after.tasks is not None else "") for before, after in pairwise(job.stages) if before is stage
    ]


@cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)
    environment.filters["quoted"] = lambda value: shlex.quote(str(value))
    environment.filters["sbatch"] = _quoted_for_sbatch
    return environment


def _quoted_for_sbatch(value: object) -> str:
    """In the lines that begin with #SBATCH a backslash escapes, and quotes keep spaces and # together."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _own(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            kind="malformed", path=path, found="bytes that are not UTF-8", expected="a template as text (--template)"
        ) from None


def _filled(text: str, path: Path, values: Mapping[str, Any]) -> str:
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        return str(_environment().from_string(text).render(**values))
    except TemplateSyntaxError as error:
        raise InputError(
            kind="malformed",
            path=path,
            line=error.lineno,
            reason=error.message,
            expected="a template",
            remedy="see: cryodedup slurm template",
        ) from None
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(
            kind="malformed", path=path, reason=str(error), expected="a template", remedy="see: cryodedup slurm template"
        ) from None


def _put(path: Path, text: str) -> Path:
    """Writes a script whole: a shell may be reading the earlier one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, "utf-8", errors="surrogateescape")
    new.replace(path)
    return path

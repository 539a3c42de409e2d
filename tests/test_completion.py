"""What a shell completes, and the manual pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cases import Ran

Command = Callable[..., Ran]


def completed(words: str) -> list[str]:
    """What bash would offer."""
    environment = {**os.environ, "_CRYODEDUP_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    ran = subprocess.run([sys.executable, "-m", "cryodedup"], env=environment, capture_output=True, text=True, check=True)
    return [line.partition(",")[2] for line in ran.stdout.splitlines()]


def test_commands_options_and_values_are_completed() -> None:
    assert completed("cryodedup part") == ["particles"]
    assert completed("cryodedup micrographs --sea") == ["--search", "--search-angle", "--search-flips"]
    assert completed("cryodedup micrographs --search ") == ["all", "window"]


@pytest.mark.parametrize(
    "words",
    ["particles pi", "particles a.star -o ou", "micrographs x", "apply clean pi", "apply clean -o ou", "watch x", "slurm particles pi"],
)
def test_names_of_files_are_left_to_the_shell(words: str) -> None:
    environment = {
        **os.environ,
        "_CRYODEDUP_COMPLETE": "bash_complete",
        "COMP_WORDS": f"cryodedup {words}",
        "COMP_CWORD": str(words.count(" ") + 1),
    }
    ran = subprocess.run([sys.executable, "-m", "cryodedup"], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == f"file,{words.rpartition(' ')[2]}\n"


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".local/share/bash-completion/completions/cryodedup"),
        ("zsh", ".zfunc/_cryodedup"),
        ("fish", ".config/fish/completions/cryodedup.fish"),
    ],
)
def test_a_script_is_printed_or_written_to_where_the_shell_looks(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, place: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    printed = command("completion", shell)
    assert (printed.status, "_CRYODEDUP_COMPLETE" in printed.out) == (0, True)
    assert not list(tmp_path.iterdir())
    assert f"written: {tmp_path / place}" in command("completion", shell, "--install").out
    assert (tmp_path / place).read_text().split() == printed.out.split()
    if shutil.which(shell):
        subprocess.run([shell, "-n", tmp_path / place], check=True)


def test_manual_pages_are_of_all_commands(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert command("completion", "man", "--install").status == 0
    pages = {path.name: path.read_text() for path in (tmp_path / "man/man1").iterdir()}
    assert {"cryodedup.1", "cryodedup-particles.1", "cryodedup-slurm-micrographs.1"} <= pages.keys()
    assert "\\fB\\-\\-min\\-separation" in pages["cryodedup-particles.1"]
    assert '.TH "CRYODEDUP-WATCH" "1"' in pages["cryodedup-watch.1"]
    if shutil.which("man"):
        for path in (tmp_path / "man/man1").iterdir():
            shown = subprocess.run(
                ["man", "--warnings", "-l", path], capture_output=True, text=True, check=True, env={**os.environ, "MANPAGER": "cat"}
            )
            assert (shown.stderr, "EXIT STATUS" in shown.stdout) == ("", True), path.name


def test_another_shell_is_refused(command: Command) -> None:
    assert command("completion", "tcsh").status == 2

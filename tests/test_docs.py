"""The pages: links lead somewhere, commands are what the program takes, the README's recipes print what it shows, its picture is the demo's.

The examples in docs/python.md run as doctests.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import rich_click as click

from cases import Ran
from cryodedup.cli import cli
from cryodedup.demo import make_micrographs, make_refined, make_session

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `cryodedup demo -o demo` left its sessions."""
    directory = tmp_path_factory.mktemp("docs")
    session = directory / "demo" / "session"
    make_session(session)
    make_refined(make_micrographs(session))
    return directory


def anchors(page: Path) -> set[str]:
    """What headings of a page are called in links to them, as GitHub and GitLab make it."""
    text = BLOCK.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each call of cryodedup in the shell blocks of a page."""
    for kind, block in BLOCK.findall(page.read_text("utf-8")):
        for line in block.replace("\\\n", "").splitlines() if kind == "sh" else []:
            if line.startswith("cryodedup "):
                words = shlex.split(line)
                yield words[1 : next((i for i, word in enumerate(words) if word in (">", "2>&1", "|")), None)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text("utf-8")):
        if "://" in link:
            assert re.fullmatch(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[\w.~%+/-]*)?(#[\w-]+)?", link), f"{link}: no address"
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def linked_from(page: Path) -> set[Path]:
    """The files that a page has links to."""
    return {(page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(page.read_text("utf-8")) if "://" not in link}


def test_every_page_is_reached_from_the_readme() -> None:
    reached = linked_from(ROOT / "README.md")
    reached |= linked_from(ROOT / "docs" / "index.md")
    assert {page.resolve() for page in PAGES} - {(ROOT / "README.md").resolve(), (ROOT / "docs" / "index.md").resolve()} <= reached


def test_every_page_is_in_the_site() -> None:
    in_site = set(re.findall(r"^ +- (?:[^:\n]+: )?([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
    assert in_site == {page.relative_to(ROOT / "docs").as_posix() for page in PAGES if (ROOT / "docs") in page.parents}


def test_the_search_of_the_site_finds_endings_and_options_by_their_words() -> None:
    found = re.search(r"separator: '(.*)'", (ROOT / "mkdocs.yml").read_text("utf-8"))
    assert found is not None
    words = re.split(found[1], "import `particles_kept.csg`, with --pixel-size 1.06 or pixel_size_a=1.06")
    assert [word for word in words if word] == [
        "import", "particles", "kept", "csg", "with", "pixel", "size", "1.06", "or", "pixel", "size", "a", "1.06",
    ]  # fmt: skip
    assert "search.js" in (ROOT / "mkdocs.yml").read_text("utf-8")
    assert (ROOT / "docs" / "search.js").is_file()


def words_of(text: str, separator: str) -> set[str]:
    """The words under which the site's search finds a text; separators are those of mkdocs.yml."""
    return {word for word in re.split(separator, text.lower()) if word}


@pytest.mark.parametrize(("typed", "pages"), [("csg", {"files", "from-cryosparc", "formats"}), ("--pixel-size", {"formats", "faq"})])
def test_the_search_of_the_site_finds(typed: str, pages: set[str]) -> None:
    """The index is that of mkdocs, from the text of the pages; the site itself is not built."""
    indexing = pytest.importorskip("mkdocs.contrib.search.search_index", reason="mkdocs is not installed: pip install '.[docs]'")
    markdown = pytest.importorskip("markdown")
    index = indexing.SearchIndex(lang=["en"], indexing="full", prebuild_index=False)
    for page in (ROOT / "docs").glob("*.md"):
        html = markdown.markdown(page.read_text("utf-8"), extensions=["tables", "fenced_code"])
        index.add_entry_from_context(SimpleNamespace(content=html, toc=[], title=page.stem, url=page.stem))
    separator = re.search(r"separator: '(.*)'", (ROOT / "mkdocs.yml").read_text("utf-8"))
    unasked = re.search(r"replaceAll\(/(.+)/g, \"\$1\"\)", (ROOT / "docs" / "search.js").read_text("utf-8"))
    assert separator is not None
    assert unasked is not None
    asked = re.sub(unasked[1], r"\1", typed)
    assert not re.search(r"(^|\s)[-+]", asked), "the search takes a word after - for one that must not be there"
    entries = json.loads(index.generate_search_index())["docs"]
    found = {one["location"] for one in entries if words_of(asked, separator[1]) <= words_of(one["text"], separator[1])}
    assert pages <= found


def test_the_map_names_folders_that_are_there() -> None:
    cells = re.findall(r"^\| (`[^|]+`) \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    places = [place for cell in cells for place in re.findall("`([^`]+)`", cell)]
    assert len(places) > 15
    assert [place for place in places if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if list(commands(page))], ids=lambda page: page.name)
def test_commands_have_these_options(page: Path) -> None:
    for words in commands(page):
        name, *arguments = words
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group):
            name, *arguments = arguments
            command = command.get_command(click.Context(command), name)
        assert command is not None, name
        command.make_context(name, arguments)  # raises what the command line would print for a wrong option or value


def test_the_recipes_of_the_readme_print_this(directory: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ran]) -> None:
    monkeypatch.chdir(directory)
    readme = (ROOT / "README.md").read_text("utf-8")
    recipes = readme[readme.index("## Three recipes") : readme.index("## Documentation")]
    blocks = BLOCK.findall(recipes)
    assert [kind for kind, _ in blocks] == ["sh", "text"] * 3
    for (_, line), (_, printed) in zip(blocks[::2], blocks[1::2], strict=True):
        ran = command(*shlex.split(line.replace("\\\n", ""))[1:])
        assert ran.status == 0, ran.err
        assert set(printed.splitlines()) <= set(ran.out.splitlines())
    held = re.findall(r"^`(\w+)/` then holds (.*?)\n\n", recipes, re.MULTILINE | re.DOTALL)
    assert [written for written, _ in held] == ["picks", "clean", "unique"]
    for written, names in held:
        files = re.findall(r"`(\w+\.\w+)`", names)
        assert len(files) >= 2
        assert [name for name in files if not Path(written, name).is_file()] == []


def script(name: str) -> ModuleType:
    """A script of the pages, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_picture(drawn: str, name: str) -> None:
    shown = (ROOT / "docs" / f"{name}.svg").read_text("utf-8")
    assert NUMBER.sub("", drawn) == NUMBER.sub("", shown), f"repeat: python docs/{name}.py"
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (drawn, shown)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.2)


def test_the_picture_is_that_of_the_demo(directory: Path) -> None:
    check_picture(script("overview").draw(directory / "demo" / "session"), "overview")


def test_the_simulation_of_half_sets_gives_the_picture_and_the_table() -> None:
    shared_noise = script("shared_noise")
    check_picture(shared_noise.draw(), "shared_noise")
    assert shared_noise.table() in (ROOT / "docs" / "half-sets.md").read_text("utf-8")

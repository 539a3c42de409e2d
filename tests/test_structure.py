"""The house: one direction, no circles, no hidden channels; imports inside functions and for types count, too."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cryodedup

PACKAGE = Path(cryodedup.__file__).parent
FLOORS = (
    {"text", "names"},
    {"errors"},
    {"components", "frozen", "units", "progress", "system"},
    {"params", "summary_file"},
    {"formats", "pictures", "output_directory"},
    {"particles", "micrographs"},
    {"apply"},
    {"report"},
    {"write", "notebook"},
    {"results"},
    {"jobs", "demo", "slurm"},
    {"cli"},
    {"__init__", "__main__"},
)
"""From the lowest to the highest: a room takes from its own floor only what is its own, and from those below."""
APART = ({"particles", "micrographs"},)
"""Rooms of one floor that know nothing of each other."""


def modules() -> dict[str, Path]:
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "cryodedup" and not node.level:  # a module, or a name of the roof
            names = [f"cryodedup.{alias.name if _is_room(alias.name) else '__init__'}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError(f"{path}: relative import")
        for name in names:
            inner = name.removeprefix("cryodedup").removeprefix(".")
            if name.startswith("cryodedup") and inner in known:
                yield inner


def _is_room(name: str) -> bool:
    return name == "_core" or (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: {other for other in imported(path, known) if other != name} for name, path in known.items()}


def room(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def test_nothing_imports_upwards() -> None:
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    assert {room(name) for name in graph()} == set(floor)
    upwards = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in others
        if room(name) != room(other) and name != "__init__" and floor[room(other)] >= floor[room(name)]
    ]
    assert upwards == []


def test_no_files_import_each_other() -> None:
    edges = graph()
    state: dict[str, str] = {}
    circles: list[list[str]] = []

    def visit(name: str, path: list[str]) -> None:
        state[name] = "open"
        for other in edges[name]:
            if state.get(other) == "open":
                circles.append([*path[path.index(other) :], other])
            elif other not in state:
                visit(other, [*path, other])
        state[name] = "done"

    for name in edges:
        if name not in state:
            visit(name, [name])
    assert circles == []


def test_particles_and_micrographs_do_not_know_each_other() -> None:
    for apart in APART:
        known = [f"{name} imports {other}" for name, others in graph().items() for other in others if {room(name), room(other)} == apart]
        assert known == []


def test_the_command_line_is_read_in_one_place() -> None:
    using = [name for name, path in modules().items() if "sys.argv" in path.read_text("utf-8")]
    assert using == ["cli.__init__"]


def test_lines_are_printed_in_one_place() -> None:
    printing = [
        name
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert set(printing) == {"cli.console"}


def test_the_command_line_starts_light() -> None:
    heavy = "{'numpy', 'pandas', 'scipy', 'starfile', 'yaml', 'matplotlib', 'jinja2', 'mrcfile', 'PIL'}"
    program = f"import sys; import cryodedup.__main__, cryodedup.cli; print(*sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


NUMERICS = {
    "simulated data": {"demo.micrographs", "demo.particles", "demo.refined"},
    "plans and score of the self-test": {"micrographs.planting", "micrographs.self_test", "micrographs.self_test_score"},
    "the suggested separation, which is still tuned": {
        "particles.analysis.advice",
        "particles.analysis.neighbours",
        "particles.analysis.pair_curve",
        "particles.analysis.separation",
    },
    "evidence that inputs count in other pixels or frames": {
        "particles.inputs.coincidence",
        "particles.inputs.consistency",
        "particles.inputs.frames",
        "particles.inputs.relion",
    },
    "geometry of tilts, flips and versions of an exposure": {
        "micrographs.flips",
        "micrographs.measuring",
        "micrographs.tilt",
        "micrographs.versions",
    },
    "figures": {
        "pictures",
        "report.axes",
        "report.figures.example_panels",
        "report.figures.examples",
        "report.figures.scores",
        "report.outliers",
        "report.picks",
        "report.raster",
    },
    "medians for sentences and summaries": {"micrographs.compare", "micrographs.concluding"},
}
"""Where Python may do more than to sort, select and count, and what for. Anything else is the core's."""
ALGORITHMS = {
    *("fft", "random", "convolve", "correlate", "polyfit", "interp", "histogram", "histogram2d", "quantile", "percentile", "median"),
    *("exp", "log", "log2", "log10", "cos", "sin", "tan", "std", "var", "cov", "corrcoef", "einsum", "matmul", "dot"),
}
LINEAR_ALGEBRA = {"solve", "lstsq", "inv", "det", "eig", "eigh", "svd", "pinv", "qr"}


def algorithms(path: Path) -> set[str]:
    """The functions of numpy that a file uses which are more than bookkeeping."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
            found |= {node.attr} & ALGORITHMS
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "linalg":
            found |= {node.attr} & LINEAR_ALGEBRA
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found |= {name for name in names if name.partition(".")[0] in ("scipy", "sklearn")}
            found |= {alias.name for alias in node.names if names[0].partition(".")[0] == "numpy"} & (ALGORITHMS | {"linalg"})
    return found


def test_algorithms_are_in_the_core() -> None:
    allowed = set().union(*NUMERICS.values())
    using = {name: algorithms(path) for name, path in modules().items()}
    assert {name: found for name, found in using.items() if found and name not in allowed} == {}
    assert [name for name in sorted(allowed) if not using[name]] == [], "no longer needed in the table"

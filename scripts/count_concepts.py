"""Counts what a reader of the sources meets: modules, classes, public names, lines, statements, copies of each rule.

`make count` prints it for the working tree; `make count ARGS="--at COMMIT"` for a commit and the working tree, side by
side. tests/test_house.py holds what is counted here.
"""

import argparse
import ast
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "core": "include/windtunnel",
    "plugins": "plugins",
    "trainer": "trainer",
    "benchmarks": "benchmarks",
    "scripts": "scripts",
    "examples": "examples",
    "deploy": "deploy",
}
PRODUCT = ("core", "plugins", "trainer")  # in which each rule has one owner
LONG = 300  # lines of a file
VERBS = {"asked", "found", "said", "told"}  # which name nothing: a local is called after what it holds


@dataclass(frozen=True)
class Rule:
    """A rule of the house that is to be written in one place.

    Attributes:
        name: of the rule.
        pattern: regular expression of the lines that state it.
        owner: the end of the path of the file, or the folder, that may state it.
    """

    name: str
    pattern: str
    owner: str


RULES = (
    Rule("which states have values", r"COMPLETED\b.*\bSTOPPED\b", "ledger/records.py"),
    Rule("which direction is better", r"[=!]= ?['\"]m(ax|in)imize|\"maximize\": ?(min|max)", "objectives/direction.py"),
    Rule("a stage's name", r"\.isdigit\(\)|[\"'](full|prepare)-|\"verify-\{|rpartition\(\"-\"\)", "ledger/stage.py"),
    Rule("a unit's id", r"[\"']verify-|-e\{|partition\([\"'](\.r|-e)[\"']\)|\[0-9a-f\]\{16\}", "ledger/ids.py"),
    Rule("the latest try", r"\"\.r\"|\.r\{", "ledger/ids.py"),
    Rule("what a configuration's id is made of", r"(?<!def )\bconfig_id\(", "stages/search.py"),
    Rule("what a job still owes", r"for unit in .*\bunit not in\b|\bsum\(unit not in\b", "ledger/records.py"),
    Rule("trials without a result", r"trial not in (\w+\.)?(results|outcomes|ended)\b", "ledger/trial.py"),
    Rule("stragglers", r"def _?(stragglers|busy_lanes)\b", "stages/history.py"),
    Rule("the furthest trial of a configuration", r"def (furthest|contenders)\b", "ledger/trial.py"),
    Rule("threads of a trial", r"(cores\(\)|of_a_pod|cpu\b.*) ?//|// \w*\.?slots\b", "definition/threads.py"),
    Rule("how much of a log a result holds", r"LOG_TAIL = |tail.*\b\d_?\d{3,}\b", "ledger/failures.py"),
    Rule("how much of a log people are shown", r"\b_LOG = ", "ledger/trials.py"),
    Rule("cores of the machine", r"sched_getaffinity|cpu_count", "host/machine.py"),
    Rule("the machine's name", r"gethostname|platform\.node", "host/machine.py"),
    Rule("canonical JSON", r"rfc8785\.", "ledger/ids.py"),
    Rule("equal JSON values", r"canonical_json\(\w+\) (==|!=|in)\b|pop\(canonical_json", "space/base.py"),
    Rule("one or several", r"if [\w.]+ == 1 else (several\b|['\"])", "windtunnel/text.py"),
    Rule("reading YAML", r"\byaml\.(?!safe_dump)", "definition/document.py"),
    Rule("the hypervolume", r"moocore\.hypervolume", "objectives/dominance.py"),
    Rule("bounds of a value", r"\.(max|min) is not None and", "objectives/constraint.py"),
)


@dataclass
class Count:
    """What a package has.

    Attributes:
        modules: files of Python.
        classes: of all, nested ones too.
        names: public functions, classes and constants at the top of modules.
        lines: of the files, blank ones and comments too.
        statements: without docstrings.
    """

    modules: int = 0
    classes: int = 0
    names: int = 0
    lines: int = 0
    statements: int = 0


def sources(root: Path, package: str) -> list[Path]:
    """The files of Python of a package, in order."""
    return sorted((root / PACKAGES[package]).rglob("*.py"))


def count(files: list[Path]) -> Count:
    """What the files have together."""
    total = Count()
    for file in files:
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text)
        total.modules += 1
        total.classes += sum(isinstance(node, ast.ClassDef) for node in ast.walk(tree))
        total.names += len(set(_names(tree)))
        total.lines += len(text.splitlines())
        total.statements += sum(isinstance(node, ast.stmt) and not _is_text(node) for node in ast.walk(tree))
    return total


def copies(root: Path, rule: Rule) -> list[str]:
    """The lines outside of its owner that state a rule, each as `path:line`."""
    pattern, lines = re.compile(rule.pattern), []
    for package in PRODUCT:
        for file in sources(root, package):
            path = file.relative_to(root).as_posix()
            if path.endswith(rule.owner):
                continue
            numbered = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
            lines += [f"{path}:{number}" for number, line in numbered if pattern.search(line)]
    return lines


def long_files(root: Path) -> dict[str, int]:
    """Files of Python with more than `LONG` lines, and how many each has."""
    files = [file for package in PACKAGES for file in sources(root, package)]
    lengths = {file.relative_to(root).as_posix(): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    return {path: lines for path, lines in lengths.items() if lines > LONG}


def verbs(files: list[Path]) -> list[str]:
    """The locals that have a verb for a name, each as `file:line name`."""
    named = [
        (file, node)
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VERBS
    ]
    return [f"{file.name}:{node.lineno} {node.id}" for file, node in named]


def _names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def _is_text(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, of whatever."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _report(roots: dict[str, Path]) -> Iterator[str]:
    """A table for each kind of count, with a column for each state of the sources."""
    yield f"{'':<12} {'modules':>8} {'classes':>8} {'names':>8} {'lines':>8} {'statements':>11}"
    for state, root in roots.items():
        counts = {package: count(sources(root, package)) for package in PACKAGES}
        totals = [sum(column) for column in zip(*map(astuple, counts.values()), strict=True)]
        yield f"{state}:"
        for package, row in [*((package, astuple(each)) for package, each in counts.items()), ("all", totals)]:
            modules, classes, names, lines, statements = row
            yield f"  {package:<10} {modules:>8} {classes:>8} {names:>8} {lines:>8} {statements:>11}"
    yield f"\nfiles above {LONG} lines"
    for state, root in roots.items():
        files = [f"{path} ({lines})" for path, lines in long_files(root).items()]
        yield f"  {state}: {len(files)}: {', '.join(files) or 'none'}"
    yield "\nlocals with a verb for a name"
    for state, root in roots.items():
        files = [file for package in PACKAGES for file in sources(root, package)]
        yield f"  {state}: {len(verbs(files))}: {', '.join(verbs(files)[:9]) or 'none'}"
    yield f"\n{'copies of each rule outside of its owner':<44}" + "".join(f"{state:>14}" for state in roots)
    for rule in RULES:
        yield f"  {rule.name:<42}" + "".join(f"{len(copies(root, rule)):>14}" for root in roots.values())


def _unpack(commit: str, folder: Path) -> Path:
    """The sources as they were in a commit."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--at", metavar="COMMIT", help="count this commit too")
    parser.add_argument("--where", action="store_true", help="list the lines of all copies")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        before = {arguments.at: _unpack(arguments.at, Path(temporary))} if arguments.at else {}
        print("\n".join(_report(before | {"now": ROOT})))
    if arguments.where:
        for each in RULES:
            print(f"\n{each.name}, which is {each.owner}'s:", *copies(ROOT, each), sep="\n  ")

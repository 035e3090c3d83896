"""The order of the house: who may import whom, when, and which built-ins nobody may use.

Each rule is a function from parsed modules to complaints. Each is first shown to complain about a
small bad package, then run over graphc.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From the ground up. Rooms in one inner tuple may import each other; all else goes down.
FLOORS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("config", "errors", "files", "record"),),
    (("ir",),),
    (("ops",),),
    (("grad",), ("rewrite",)),
    (("loops",),),
    (("schedule",),),
    (("target",),),
    (("compiler",),),
    (("nn",),),
    (("train",),),
    (("interop",), ("view",)),
    (("__init__",),),
    (("bench", "cli", "__main__"),),
)
PLACES = {
    room: (floor, group)
    for floor, groups in enumerate(FLOORS)
    for group in groups
    for room in group
}

# Below it, but none of its business: what a graph is made of.
UNKNOWN_TO = {
    "loops": ("graphc.ir.node", "graphc.ir.graph", "graphc.ops", "graphc.grad", "graphc.rewrite")
}

# Not imported by `import graphc`, because they take longer than everything else together.
HEAVY = frozenset(
    [
        "numba", "llvmlite", "scipy", "sympy", "mpmath", "networkx", "opt_einsum", "tqdm",
        "safetensors", "IPython",
    ]
)  # fmt: skip
LIGHT = frozenset(["numpy", "graphc", *sys.stdlib_module_names])

# Modules that write or read objects as pickles.
PICKLES = frozenset(["pickle", "_pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"])
RUNS_TEXT = frozenset(["exec", "eval", "compile"])
ENVIRONMENT = frozenset(["environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"])


def room_of(name: str) -> str:
    """The first word after `graphc.`, or `__init__` for the package itself."""
    return name.split(".")[1] if "." in name else "__init__"


@dataclass(frozen=True)
class Module:
    """A module's name, its syntax tree, and what it imports at its top, in functions, for types."""

    name: str
    is_package: bool
    tree: ast.Module
    top: frozenset[str]
    inside: frozenset[str]
    typing: frozenset[str]

    @property
    def room(self) -> str:
        return room_of(self.name)

    @property
    def all_imports(self) -> frozenset[str]:
        return self.top | self.inside | self.typing


Package = Mapping[str, Module]
Rule = Callable[[Package], list[str]]


def parse_package(sources: Mapping[str, str]) -> dict[str, Module]:
    """Modules by name, from sources by path (`graphc/ir/node.py`)."""
    names = {path: ".".join(Path(path).with_suffix("").parts) for path in sources}
    names = {path: name.removesuffix(".__init__") for path, name in names.items()}
    known = set(names.values())
    return {
        name: parse_module(name, path.endswith("__init__.py"), sources[path], known)
        for path, name in names.items()
    }


def parse_module(name: str, is_package: bool, source: str, known: set[str]) -> Module:
    tree = ast.parse(source, name)
    found: dict[str, set[str]] = {"top": set(), "inside": set(), "typing": set()}
    for node, where in statements(tree):
        found[where].update(imported(node, name, is_package, known))
    return Module(name, is_package, tree, *(frozenset(found[k]) for k in found))


def statements(tree: ast.AST, where: str = "top") -> Iterator[tuple[ast.AST, str]]:
    """Every node below `tree`, with whether it runs at import, in a function, or never."""
    for child in ast.iter_child_nodes(tree):
        place = where
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and where == "top":
            place = "inside"
        elif isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test):
            place = "typing" if child in tree.body else where
        yield child, place
        yield from statements(child, place)


def imported(node: ast.AST, name: str, is_package: bool, known: set[str]) -> Iterator[str]:
    """Full names of the modules that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = name.split(".") if is_package else name.split(".")[:-1]
        above = parts[: len(parts) - node.level + 1] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            submodule = f"{source}.{alias.name}"
            yield submodule if submodule in known else source


# --- the rules ---


def upward_imports(package: Package) -> list[str]:
    """Imports of a higher floor, or of another room on the same floor. Imports for types count."""
    complaints = []
    for module in package.values():
        if module.room not in PLACES:
            complaints.append(f"{module.name}: the room {module.room} is on no floor")
            continue
        floor, group = PLACES[module.room]
        for target in sorted(module.all_imports):
            if target.split(".")[0] != "graphc" or room_of(target) in group:
                continue
            if PLACES.get(room_of(target), (floor, group))[0] >= floor:
                complaints.append(f"{module.name} must not import {target}")
    return complaints


def unknown_imports(package: Package) -> list[str]:
    """Imports of lower rooms that a room has no business with, also by way of their package."""
    return [
        f"{name} must not import {target}"
        for name, module in sorted(package.items())
        for target in sorted(module.all_imports)
        if any(
            f"{target}.".startswith(f"{secret}.") or target == secret.rpartition(".")[0] != "graphc"
            for secret in UNKNOWN_TO.get(module.room, ())
        )
    ]


def circles(package: Package) -> list[str]:
    """Modules that import each other, directly or through others, at their top or in functions.

    That Python runs a package's `__init__` before its modules is no circle; to import a name from
    that `__init__`, in a module that it imports, is.
    """
    reach: dict[str, set[str]] = {}
    for name in package:
        reach[name] = set()
        pending = [name]
        while pending:
            module = package[pending.pop()]
            fresh = ((module.top | module.inside) & package.keys()) - reach[name]
            reach[name] |= fresh
            pending.extend(fresh)
    rings = {tuple(sorted(b for b in reach[a] if a in reach[b])) for a in package if a in reach[a]}
    return [f"circle: {' <-> '.join(ring)}" for ring in sorted(rings)]


def loaded_by_import(package: Package) -> set[str]:
    """Modules that run when `import graphc` does, with the packages around them."""
    loaded: set[str] = set()
    pending = ["graphc"] if "graphc" in package else []
    while pending:
        name = pending.pop()
        if name in loaded or name not in package:
            continue
        loaded.add(name)
        for target in package[name].top:
            parts = target.split(".")
            pending.extend(".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return loaded


def heavy_at_import(package: Package) -> list[str]:
    """Heavy libraries at the top of modules that `import graphc` runs."""
    return [
        f"{name} imports {target} at its top, and `import graphc` runs it"
        for name in sorted(loaded_by_import(package))
        for target in sorted(package[name].top)
        if target.split(".")[0] in HEAVY
    ]


def needs_heavy(package: Package) -> set[str]:
    """Modules that load a library other than NumPy as soon as they are imported."""
    needing = {
        name
        for name, module in package.items()
        if any(target.split(".")[0] not in LIGHT for target in module.top)
    }
    while True:
        more = {name for name, module in package.items() if module.top & needing} - needing
        if not more:
            return needing
        needing |= more


def hidden_imports(package: Package) -> list[str]:
    """Imports in functions that do not put off a heavy or optional library."""
    needing = needs_heavy(package)
    return [
        f"{name} hides an import of {target} in a function"
        for name, module in sorted(package.items())
        for target in sorted(module.inside)
        if target.split(".")[0] in LIGHT and target not in needing
    ]


def own_names(tree: ast.Module) -> set[str]:
    """Names that a module imports or defines, anywhere."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def text_runners(package: Package) -> list[str]:
    """Uses of `exec`, `eval` and the built-in `compile` outside the loader of emitted modules.

    A module that imports or defines its own `compile` may use that name.
    """
    complaints = []
    for name, module in sorted(package.items()):
        if name == "graphc.target.loader":
            continue
        runners = RUNS_TEXT - (own_names(module.tree) & {"compile"})
        complaints += [f"{name} imports builtins" for _ in module.all_imports & {"builtins"}]
        complaints += [
            f"{name}:{node.lineno} uses {node.id}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Name) and node.id in runners
        ]
    return complaints


def refuses_pickles(argument: ast.keyword) -> bool:
    return isinstance(argument.value, ast.Constant) and argument.value.value is False


def pickles(package: Package) -> list[str]:
    """Imports of modules that unpickle, and arguments that allow NumPy to."""
    complaints = []
    for name, module in sorted(package.items()):
        complaints += [
            f"{name} imports {target}"
            for target in sorted(module.all_imports)
            if target.split(".")[0] in PICKLES
        ]
        complaints += [
            f"{name}:{node.lineno} allows pickles"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.keyword)
            and node.arg == "allow_pickle"
            and not refuses_pickles(node)
        ]
    return complaints


def environment_readers(package: Package) -> list[str]:
    """Mentions of the environment of the process outside `graphc/config.py`."""
    complaints = []
    for name, module in sorted(package.items()):
        if name == "graphc.config":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT:
                complaints.append(f"{name}:{node.lineno} uses {ast.unparse(node)}")
            elif isinstance(node, ast.ImportFrom) and node.module == "os":
                names = {alias.name for alias in node.names} & ENVIRONMENT
                complaints += [f"{name}:{node.lineno} imports {found}" for found in sorted(names)]
    return complaints


RULES: tuple[Rule, ...] = (
    upward_imports,
    unknown_imports,
    circles,
    heavy_at_import,
    hidden_imports,
    text_runners,
    pickles,
    environment_readers,
)

# --- each rule can complain ---

# The rule; modules as "path: source", parted by " | "; what the complaint says.
BAD: list[tuple[Rule, str, str]] = [
    (upward_imports, "ir/node: import graphc.ops", "graphc.ir.node must not import graphc.ops"),
    (upward_imports, "ir/node: from ..grad import reverse", "import graphc.grad"),
    (upward_imports, "ir/node: from .. import ops | ops/__init__: ", "must not import graphc.ops"),
    (upward_imports, "ir/node: def f(): import graphc.ops.scalar", "import graphc.ops.scalar"),
    (upward_imports, "ir/a: if TYPE_CHECKING: from graphc.nn import Dense", "import graphc.nn"),
    (upward_imports, "grad/reverse: import graphc.rewrite", "must not import graphc.rewrite"),
    (upward_imports, "rewrite/a: from graphc.grad import reverse", "must not import graphc.grad"),
    (upward_imports, "view/html: import graphc.interop.sympy", "import graphc.interop.sympy"),
    (upward_imports, "train/a: import graphc as gx", "graphc.train.a must not import graphc"),
    (upward_imports, "train/a: from graphc import grad", "must not import graphc"),
    (upward_imports, "__init__: from graphc.cli import main", "graphc must not import graphc.cli"),
    (upward_imports, "misc/a: x = 1", "graphc.misc.a: the room misc is on no floor"),
    (upward_imports, "train/a: import graphc.misc", "must not import graphc.misc"),
    (unknown_imports, "loops/a: from graphc.ir.node import Node", "import graphc.ir.node"),
    (unknown_imports, "loops/a: from graphc.ir import Node", "must not import graphc.ir"),
    (unknown_imports, "loops/a: import graphc.grad.reverse", "import graphc.grad.reverse"),
    (circles, "ir/a: import graphc.ir.b | ir/b: from . import a", "graphc.ir.a <-> graphc.ir.b"),
    (
        circles,
        "ir/a: import graphc.ir.b | ir/b: from .c import x | ir/c: def f(): from . import a",
        "circle: graphc.ir.a <-> graphc.ir.b <-> graphc.ir.c",
    ),
    (
        circles,
        "ir/__init__: from graphc.ir.node import Node | ir/node: from graphc.ir import Graph",
        "circle: graphc.ir <-> graphc.ir.node",
    ),
    (circles, "ir/a: import graphc.ir.a", "circle: graphc.ir.a"),
    (heavy_at_import, "__init__: import numba", "graphc imports numba at its top"),
    (
        heavy_at_import,
        "__init__: from graphc.ir.a import x | ir/a: x = 1 | ir/__init__: import scipy.linalg",
        "graphc.ir imports scipy.linalg at its top",
    ),
    (
        heavy_at_import,
        "__init__: import graphc.view | view/__init__: from . import a | view/a: import tqdm.auto",
        "graphc.view.a imports tqdm.auto at its top",
    ),
    (heavy_at_import, "__init__: if x: import sympy", "graphc imports sympy at its top"),
    (hidden_imports, "ir/a: def f(): import json", "graphc.ir.a hides an import of json"),
    (hidden_imports, "ir/a: def f(): import numpy.linalg", "hides an import of numpy.linalg"),
    (
        hidden_imports,
        "ir/a: def f(): from graphc.ir import b | ir/b: import numpy",
        "hides an import of graphc.ir.b",
    ),
    (text_runners, "ir/a: exec('x = 1')", "graphc.ir.a:1 uses exec"),
    (text_runners, "ir/a: run = eval", "graphc.ir.a:1 uses eval"),
    (text_runners, "ir/a: def f(s): return compile(s, '', 'eval')", "uses compile"),
    (text_runners, "ir/a: import builtins", "imports builtins"),
    (text_runners, "ir/a: from builtins import exec as run", "imports builtins"),
    (text_runners, "ir/a: from graphc.ir.b import eval; eval('1')", "uses eval"),
    (pickles, "ir/a: import pickle", "graphc.ir.a imports pickle"),
    (pickles, "ir/a: def f(): from joblib import load", "imports joblib"),
    (pickles, "ir/a: numpy.load(f, allow_pickle=True)", "graphc.ir.a:1 allows pickles"),
    (environment_readers, "ir/a: import os; os.environ['A']", "graphc.ir.a:1 uses os.environ"),
    (environment_readers, "ir/a: import os as o; o.getenv('A')", "uses o.getenv"),
    (environment_readers, "ir/a: from os import environ", "graphc.ir.a:1 imports environ"),
]

GOOD = """
__init__: from graphc.compiler import compile; from graphc.ir import Node; import graphc.train.a
| errors: x = 1
| config: import os; from graphc.errors import E; x = os.environ.get('A')
| ir/__init__: from graphc.ir.node import Node
| ir/node: import numpy; from graphc.ir.dtype import D; from .. import errors
| ir/dtype: if TYPE_CHECKING: from graphc.ir.node import Node
| ir/graph: from . import node; import re; re.compile('a')
| loops/a: from graphc.ir.dtype import D; from graphc.ir import dtype
| target/loader: exec(compile('1', '', 'exec'))
| target/native_driver: import numba
| target/cpu: def f(): from graphc.target import native_driver; import scipy.linalg
| compiler/passes: from graphc.compiler.function import compile; compile(1)
| compiler/function: def compile(x): return x
| train/a: def save(): from safetensors import numpy; load(x, allow_pickle=False)
| bench/__init__: def f(): import torch
| cli: import graphc as gx; from graphc import bench, grad
"""


def written(text: str) -> dict[str, Module]:
    """The package that a line of "path: source | path: source" describes."""
    parts = (part.strip().split(":", 1) for part in text.split("|"))
    return parse_package({f"graphc/{path}.py": source.strip() for path, source in parts})


@pytest.mark.parametrize(("rule", "text", "complaint"), BAD)
def test_each_rule_complains(rule: Rule, text: str, complaint: str) -> None:
    """A package that breaks one rule in one place gets one complaint, about that."""
    (found,) = rule(written(text))
    assert complaint in found


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_complains_about_a_good_house(rule: Rule) -> None:
    """What the house allows is not complained about."""
    assert rule(written(GOOD)) == []


def test_every_rule_is_shown_to_complain() -> None:
    """No rule is without a bad example."""
    assert {rule for rule, _, _ in BAD} == set(RULES)


# --- graphc itself ---


@pytest.fixture(scope="module")
def graphc_modules() -> Package:
    paths = sorted((ROOT / "graphc").rglob("*.py"))
    return parse_package({str(path.relative_to(ROOT)): path.read_text("utf-8") for path in paths})


def test_the_whole_package_is_seen(graphc_modules: Package) -> None:
    """The rules below run over the modules that exist, with their imports."""
    assert {"graphc.errors", "graphc.config", "graphc.train.data"} <= graphc_modules.keys()
    assert "graphc.errors" in graphc_modules["graphc.config"].top
    assert "graphc.train.idx" in graphc_modules["graphc.train.data"].top
    assert "safetensors.numpy" in graphc_modules["graphc.train.checkpoint"].inside


@pytest.mark.parametrize("rule", RULES)
def test_graphc_keeps_the_rule(rule: Rule, graphc_modules: Package) -> None:
    """The order of the house, rule by rule; each complaint names the module."""
    assert rule(graphc_modules) == []


def test_import_graphc_loads_numpy_alone() -> None:
    """In a fresh process, `import graphc` brings in none of the heavy libraries."""
    program = "import sys, graphc; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert {"graphc", "numpy"} <= loaded
    assert loaded & HEAVY == set()

"""The loader: what may be a kernel, and that nothing else gets through to `exec`."""

from __future__ import annotations

import linecache
import traceback

import pytest

from graphc.errors import CompileError
from graphc.target import loader

IMPORT = "from graphc.target.primitives import float32_pointer, integer, exp\n\n"
HEAD = IMPORT + "def kernel(lo, hi, argv, context):\n"
NAMESPACE = {
    "float32_pointer": lambda argv, slot: argv[slot],
    "integer": lambda argv, slot: argv[slot],
    "exp": lambda x: x * 2,
}

GOOD = (
    IMPORT
    + '''def kernel(lo, hi, argv, context):
    """Doubles, in a roundabout way."""
    x = float32_pointer(argv, 0)
    n = integer(argv, 1)
    for i in range(lo, hi):
        total = 0.0
        for j in range(0, n, 1):
            if j % 2 == 0:
                total += exp(x[i])
            else:
                total = total - -x[i] * 0
        x[i] = total  # a comment may hold anything: import os
        x[i] += 1
'''
)


def test_a_kernel_is_loaded_and_runs() -> None:
    """Guards the whole way: text in, function out, primitives from the namespace given."""
    (kernel,) = loader.load(GOOD, NAMESPACE, "<good>").values()
    x = [1.0, 2.0, 3.0]
    kernel(1, 3, [x, 2], None)
    assert x == [1.0, 5.0, 7.0]


def test_several_kernels_share_a_module() -> None:
    """A module may hold more than one kernel, each by its name."""
    both = GOOD + GOOD.removeprefix(IMPORT).replace("def kernel", "\ndef kernel_2")
    assert list(loader.load(both, NAMESPACE, "<two>")) == ["kernel", "kernel_2"]


def test_tracebacks_show_the_kernel_line() -> None:
    """Without the registered text a failing kernel would show no source."""
    kernel = loader.load(GOOD, NAMESPACE, "<shown>")["kernel"]
    with pytest.raises(IndexError) as failure:
        kernel(0, 9, [[1.0], 1], None)
    text = "".join(traceback.format_exception(failure.value))
    assert "x[i]" in text
    assert "<shown>" in text
    assert linecache.getline("<shown>", 3).startswith("def kernel")


def test_kernels_see_no_builtins_but_range() -> None:
    """The scope is the second wall: what slipped through the check would find nothing to call."""
    kernel = loader.load(GOOD, NAMESPACE, "<scope>")["kernel"]
    assert set(kernel.__globals__["__builtins__"]) == {"range"}


BODIES = {
    "attribute": "    x = lo.real",
    "attribute of a primitive": "    x = exp.__globals__",
    "call of an attribute": "    exp.call(lo)",
    "dunder name": "    x = __builtins__",
    "dunder assigned": "    __x__ = lo",
    "underscore": "    _x = lo",
    "non-ascii name": "    é = lo",
    "unknown name": "    x = os",
    "unknown call": "    x = open(lo)",
    "exec": "    exec(lo)",
    "eval": "    x = eval(lo)",
    "getattr": "    x = getattr(lo, hi)",
    "import": "    import os",
    "import from": "    from os import system",
    "lambda": "    x = lambda: lo",
    "nested function": "    def inner():\n        pass",
    "class": "    class C:\n        pass",
    "string": "    x = 'text'",
    "bytes": "    x = b'text'",
    "f-string": "    x = f'{lo}'",
    "none": "    x = None",
    "ellipsis": "    x = ...",
    "complex": "    x = 1j",
    "long integer": "    x = 18446744073709551616",
    "list": "    x = [lo]",
    "tuple": "    x = lo, hi",
    "dict": "    x = {lo: hi}",
    "set": "    x = {lo}",
    "list comprehension": "    x = [i for i in range(lo)]",
    "generator": "    x = exp(i for i in range(lo))",
    "walrus": "    x = (y := lo)",
    "if expression": "    x = lo if hi else lo",
    "and": "    x = lo and hi",
    "not": "    x = not lo",
    "is": "    x = lo is hi",
    "in": "    x = lo in hi",
    "chained comparison": "    x = lo < hi < lo",
    "power": "    x = lo ** hi",
    "true division": "    x = lo / hi",
    "matrix product": "    x = lo @ hi",
    "slice": "    x = argv\n    y = x[0:1]",
    "index of an argument": "    x = argv[0]",
    "index of a call": "    x = float32_pointer(argv, 0)[0]",
    "starred": "    x = exp(*argv)",
    "keyword": "    x = exp(x=lo)",
    "chained assignment": "    x = y = lo",
    "unpacking": "    x, y = argv",
    "assigning to an attribute": "    lo.x = hi",
    "assigning to a primitive": "    exp = lo",
    "assigning to range": "    range = lo",
    "assigning to a parameter": "    argv = lo",
    "annotated assignment": "    x: int = lo",
    "augmented before assigned": "    x += lo",
    "while": "    while lo:\n        pass",
    "try": "    try:\n        pass\n    except:\n        pass",
    "with": "    with lo:\n        pass",
    "raise": "    raise lo",
    "assert": "    assert lo",
    "delete": "    del lo",
    "global": "    global x",
    "return": "    return lo",
    "yield": "    yield lo",
    "break": "    for i in range(lo):\n        break",
    "match": "    match lo:\n        case 1:\n            pass",
    "loop over a name": "    for i in argv:\n        pass",
    "loop over a call": "    for i in exp(lo):\n        pass",
    "loop with else": "    for i in range(lo):\n        pass\n    else:\n        pass",
    "loop with a pattern": "    for i, j in range(lo):\n        pass",
    "range outside a loop": "    x = range(lo)",
    "bare expression": "    lo",
    "second string": "    'one'\n    'two'",
    "await": "    await lo",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_with_anything_else_is_refused(body: str) -> None:
    """Each construct that a kernel does not need is one that hostile text could use."""
    with pytest.raises(CompileError, match=r"<bad>:\d+: "):
        loader.load(HEAD + body + "\n", NAMESPACE, "<bad>")


MODULES = {
    "import os": "import os\n",
    "other import": "from os import system\n",
    "star": "from graphc.target.primitives import *\n",
    "renamed": "from graphc.target.primitives import exp as e\n",
    "relative": "from .primitives import exp\n",
    "unknown primitive": "from graphc.target.primitives import launch_missiles\n",
    "dunder import": "from graphc.target.primitives import __builtins__\n",
    "statement": "x = 1\n",
    "call": "print(1)\n",
    "late string": "x\n'text'\n",
    "another function": "def main(lo, hi, argv, context):\n    pass\n",
    "async": "async def kernel(lo, hi, argv, context):\n    pass\n",
    "decorator": IMPORT + "@exp\n" + "def kernel(lo, hi, argv, context):\n    pass\n",
    "default": "def kernel(lo, hi, argv, context=1):\n    pass\n",
    "fewer parameters": "def kernel(lo, hi, argv):\n    pass\n",
    "other parameters": "def kernel(a, b, c, d):\n    pass\n",
    "star parameters": "def kernel(lo, hi, argv, context, *more):\n    pass\n",
    "keyword parameters": "def kernel(lo, hi, argv, context, *, more):\n    pass\n",
    "keyword default": "def kernel(lo, hi, argv, context, *, more=1):\n    pass\n",
    "positional only": "def kernel(lo, hi, argv, context, /):\n    pass\n",
    "annotated parameter": "def kernel(lo: int, hi, argv, context):\n    pass\n",
    "annotated result": "def kernel(lo, hi, argv, context) -> int:\n    pass\n",
    "dunder kernel": "def kernel__(lo, hi, argv, context):\n    return\n",
    "syntax": "def kernel(\n",
    "null byte": "x = \0\n",
    "deep nesting": IMPORT
    + "def kernel(lo, hi, argv, context):\n    x = "
    + "(" * 1000
    + "lo"
    + ")" * 1000
    + "\n",
    "deep expression": "def kernel(lo, hi, argv, context):\n    x = " + "-" * 20_000 + "lo\n",
}


@pytest.mark.parametrize("source", MODULES.values(), ids=MODULES.keys())
def test_a_module_with_anything_else_is_refused(source: str) -> None:
    """Nothing may run at the module's level, nor may a kernel have another signature."""
    with pytest.raises(CompileError, match="<bad>"):
        loader.load(source, NAMESPACE, "<bad>")


def test_refused_text_is_not_executed() -> None:
    """The whole text is checked before any of it runs."""
    ran = []
    namespace = {**NAMESPACE, "exp": lambda x: ran.append(x)}
    with pytest.raises(CompileError):
        loader.load(GOOD + "\nexp(1)\n", namespace, "<bad>")
    assert ran == []

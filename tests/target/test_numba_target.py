"""The target "numba": programs whose kernels Numba compiled give the bits of the target "cpu"."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, IndexRangeError
from graphc.ir.op import REGISTRY
from graphc.ops.elementwise import ElementwiseOp
from graphc.target.lapack import LAPACK
from tests.op_cases import linear_algebra
from tests.op_cases.registry import CASES
from tests.target.front_ends import FLOATS, FRONT_ENDS, chunks, pairs, same_bits

# ---- operations


def agree(inputs: list[Any], outputs: list[Any], *arguments: Any) -> list[np.ndarray]:
    """What a program gives with both front ends, which is the same."""
    one, other = (gx.compile(inputs, outputs, target=target)(*arguments) for target in FRONT_ENDS)
    for position, (a, b) in enumerate(zip(one, other, strict=True)):
        same_bits(a, b, f"output {position}: {outputs[position].op.name}")
    return [np.asarray(a) for a in one]


def elementwise(types: tuple[str, ...]) -> list[ElementwiseOp]:
    found = [op for _, op in sorted(REGISTRY.items()) if isinstance(op, ElementwiseOp)]
    return [op for op in found if op.types in types and op.arity in (1, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", FLOATS)
def test_elementwise_operations(dtype: str) -> None:
    """Every elementwise operation of floats, where kernels fuse many of them."""
    x, y = (gx.input(name, ("n",), dtype) for name in "xy")
    operations = elementwise(("float", "arithmetic", "float_test", "comparison"))
    outputs = [op(*(x, y)[: op.arity]) for op in operations]
    found = agree([x, y], outputs, *pairs(dtype))
    assert len(found) > 70


OF_ROUTINES = sorted(linear_algebra.CASES)
OTHERS = sorted(set(CASES) - set(OF_ROUTINES) - {op.name for op in elementwise(("float",))})


def check_cases(names: tuple[str, ...], dtype: str) -> None:
    """These operations in one program: both front ends, and the interpreter."""
    inputs, outputs, arguments = [], [], []
    for name in names:
        arrays = CASES[name].arrays()
        given = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
        nodes = [gx.input(f"{name}_{at}", a.shape, str(a.dtype)) for at, a in enumerate(given)]
        inputs, arguments = [*inputs, *nodes], [*arguments, *given]
        outputs.append(CASES[name].build(*nodes))
    found = agree(inputs, outputs, *arguments)
    expected = gx.evaluate(outputs, dict(zip(inputs, arguments, strict=True)))
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    for name, have, want in zip(names, found, expected, strict=True):
        np.testing.assert_allclose(have, want, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("names", chunks(OTHERS, 16), ids=lambda names: names[0])
def test_other_operations(names: tuple[str, ...]) -> None:
    """Reductions, indexing, layout, joining, products, draws, orders, windows and loops."""
    check_cases(names, "float32")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", FLOATS)
def test_routines(dtype: str) -> None:
    """Kernels that call BLAS and LAPACK: all of the table."""
    check_cases(tuple(OF_ROUTINES), dtype)
    x = gx.input("x", (3, 3), dtype)
    nodes = [
        *gx.eigh(x), *gx.svd(x), *gx.qr(x), gx.linalg.expm(x), gx.linalg.solve(x, x),
        gx.cholesky(x), gx.linalg.triangular_solve(x, x),
    ]  # fmt: skip
    sources = "".join(gx.compile(x, nodes, stop="source"))
    assert [name for name in LAPACK if f"{name}(" not in sources] == []


# ---- programs


def step(loss: Any, parameters: list[Any]) -> Any:
    """Updates of one step of gradient descent."""
    return {p: p - 0.1 * g for p, g in zip(parameters, gx.grad(loss, parameters), strict=True)}


def perceptron(target: str) -> Any:
    """A network with one hidden layer and dropout, trained by the native loop."""
    random = np.random.default_rng(0)
    x, t = gx.input("x", ("n", 20)), gx.input("t", ("n",), "int64")
    w = gx.param("w", random.standard_normal((20, 16)) / 4)
    v = gx.param("v", random.standard_normal((16, 5)) / 4)
    kept = gx.random.stream(0).bernoulli(0.8, (x.shape[0], 16))
    logits = (gx.tanh(x @ w) * kept) @ v
    loss = gx.mean(gx.nn.softmax_cross_entropy(logits, t))
    function = gx.compile([x, t], loss, updates=step(loss, [w, v]), target=target)
    images = random.standard_normal((50, 20)).astype(np.float32)
    losses = function.loop((images, random.integers(0, 5, 50)), batch_size=8, epochs=4, seed=1)
    return [np.asarray(losses), w.value, v.value]


def convolutional(target: str) -> Any:
    """A small convolutional network: windows, pooling and their gradients."""
    random = np.random.default_rng(0)
    x, t = gx.input("x", ("n", 1, 12, 12)), gx.input("t", ("n",), "int64")
    model = gx.nn.Sequential(
        gx.nn.Conv2d(1, 3, 3, activation="relu", seed=1, name="c"),
        gx.nn.MaxPool(2),
        gx.nn.flatten,
        gx.nn.Dense(75, 5, seed=2, name="d"),
    )
    loss = gx.mean(gx.nn.softmax_cross_entropy(model(x), t))
    parameters = model.parameters() if callable(model.parameters) else model.parameters
    function = gx.compile([x, t], loss, updates=step(loss, list(parameters)), target=target)
    images = random.standard_normal((5, 1, 12, 12)).astype(np.float32)
    losses = [function(images, np.arange(5)) for _ in range(3)]
    return [np.asarray(losses), *(p.value for p in parameters)]


def recurrent(target: str) -> Any:
    """A scan that is one kernel, and its gradient: elements of a carried vector."""
    x = gx.input("x", ("time", 3), "float64")
    last, ys = gx.scan(
        lambda h, row: (gx.tanh(h * 0.7 + row), h * row), gx.zeros((3,), "float64"), x
    )
    total = gx.sum(last) + gx.sum(ys * ys)
    function = gx.compile(x, [total, gx.grad(total, x)], target=target)
    return function(np.random.default_rng(0).standard_normal((17, 3)))


def padded(target: str) -> Any:
    """Borders: loops that are peeled, unrolled and hoisted."""
    x = gx.input("x", ("n", 7))
    outputs = []
    for mode in ("constant", "reflect", "edge", "wrap"):
        y = gx.pad(x, ((2, 3), (1, 2)), mode)
        outputs += [y, gx.grad(gx.sum(gx.sin(y) * y), x)]
    value = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    return gx.compile(x, outputs, target=target)(value)


def normalised(target: str) -> Any:
    """Layer norm with its gradient: reductions in vectors, over odd sizes."""
    x, g = gx.input("x", ("n", 131)), gx.input("g", (131,))
    centred = x - gx.mean(x, axis=1, keepdims=True)
    y = centred / gx.sqrt(gx.mean(centred * centred, axis=1, keepdims=True) + 1e-5) * g
    outputs = [y, *gx.grad(gx.sum(gx.softmax(y, axis=1) * y), [x, g])]
    random = np.random.default_rng(0)
    arguments = (random.standard_normal((9, 131)), random.standard_normal(131))
    return gx.compile([x, g], outputs, target=target)(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    "program", [perceptron, convolutional, recurrent, padded, normalised], ids=lambda p: p.__name__
)
def test_programs(program: Callable[[str], Any]) -> None:
    """Whole programs and training loops have the same bits, parameters too."""
    for one, other in zip(*(program(target) for target in FRONT_ENDS), strict=True):
        same_bits(one, other)


def test_an_index_out_of_range_is_the_same_error() -> None:
    """Checks in kernels report through the context with both."""
    x, i = gx.input("x", ("n",)), gx.input("i", ("m",), "int64")
    messages = []
    for target in FRONT_ENDS:
        function = gx.compile([x, i], x[i] * 2, target=target)
        with pytest.raises(IndexRangeError) as failure:
            function(np.ones(3, np.float32), [0, 7])
        messages.append(str(failure.value))
    assert messages[0] == messages[1]


def test_functions_say_their_target() -> None:
    """Reports work as for "cpu", and name the target."""
    x = gx.input("x", ("n",))
    plain, function = (gx.compile(x, gx.exp(x), target=target) for target in FRONT_ENDS)
    assert function.target == "numba"
    function(np.ones(5, np.float32))
    assert "target numba" in function.explain()
    assert function.profile(np.ones(5, np.float32)).steps[0].cost.read_bytes == 20
    assert function.source() == plain.source()


def test_integers_wrap() -> None:
    """Sums and products beyond 64 bits, of which LLVM may not assume that they never happen."""
    x, y = (gx.input(name, ("n",), "int64") for name in "xy")
    outputs = [
        gx.greater(x + 1, x), (x * 2) // 2, x + y, x * y, x - y, x * 3 - x * 2, -x, gx.prod(x),
    ]  # fmt: skip
    arrays = pairs("int64")
    expected = gx.evaluate(outputs, dict(zip((x, y), arrays, strict=True)))
    for have, want in zip(agree([x, y], outputs, *arrays), expected, strict=True):
        np.testing.assert_array_equal(have, want)


# ---- targets, the cache


def test_unknown_targets_are_refused_with_the_known_ones() -> None:
    """What may be written instead."""
    x = gx.input("x", ())
    with pytest.raises(ArgumentError, match='"cpu".*"numba".*"python".*got \'gpu\''):
        gx.compile(x, x, target="gpu")


PROCESS = """
import sys, numpy as np, graphc as gx
x = gx.input("x", ("n",))
assert "numba" not in sys.modules
for target in sys.argv[1:]:
    function = gx.compile(x, gx.exp(x) * 3, target=target)
    function(np.ones(3, np.float32))
    print(target, function.kernels[0].from_cache, "numba" in sys.modules)
"""


def process(directory: str, *targets: str) -> list[str]:
    environment = {**os.environ, "GRAPHC_CACHE_DIR": directory, "GRAPHC_CACHE": "1"}
    command = [sys.executable, "-c", PROCESS, *targets]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split("\n")[:-1]


def test_code_of_both_is_kept_apart(tmp_path: Any) -> None:
    """Neither finds the other's code, and a process that finds its own does not import Numba."""
    directory = str(tmp_path / "cache")
    first = process(directory, "cpu", "numba")
    assert [line.split()[1] for line in first] == ["False", "False"]
    assert process(directory, "cpu", "numba") == ["cpu True False", "numba True False"]

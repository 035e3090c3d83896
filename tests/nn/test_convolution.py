"""Convolutions against direct loops and SciPy; transposes against the adjoint; their layers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate

import graphc as gx
from graphc import nn
from graphc.errors import ArgumentError, DTypeError, ShapeError

TARGETS = ("python", "cpu")


def direct(
    x: np.ndarray, weight: np.ndarray, stride: Any, edges: Any, dilation: Any, groups: int
) -> np.ndarray:
    """The definition: one sum for each element of the result."""
    x = np.pad(x, ((0, 0), (0, 0), *edges))
    units, _, *sizes = weight.shape
    counts = [
        (length - (size - 1) * gap - 1) // step + 1
        for length, size, step, gap in zip(x.shape[2:], sizes, stride, dilation, strict=True)
    ]
    parts = np.split(x, groups, axis=1)
    result = np.zeros((len(x), units, *counts))
    for unit, place in product(range(units), np.ndindex(*counts)):
        taken = tuple(
            slice(i * step, i * step + (size - 1) * gap + 1, gap)
            for i, step, size, gap in zip(place, stride, sizes, dilation, strict=True)
        )
        window = parts[unit * groups // units][(slice(None), slice(None), *taken)]
        axes = tuple(range(1, window.ndim))
        result[(slice(None), unit, *place)] = np.sum(window * weight[unit], axis=axes)
    return result


# Settings of a layer on images of 7 x 8 with kernels of 3 x 2: as given, and in full.
SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"padding": "valid"}, {}),
    ({"padding": 2}, {"edges": ((2, 2), (2, 2))}),
    ({"padding": (0, 1)}, {"edges": ((0, 0), (1, 1))}),
    ({"padding": ((1, 0), (2, 3))}, {"edges": ((1, 0), (2, 3))}),
    ({"padding": "same"}, {"edges": ((1, 1), (0, 1))}),
    ({"padding": "same", "stride": (3, 2)}, {"edges": ((1, 1), (0, 0)), "stride": (3, 2)}),
    ({"stride": 2}, {"stride": (2, 2)}),
    ({"stride": (1, 4), "dilation": (2, 3)}, {"stride": (1, 4), "dilation": (2, 3)}),
    ({"groups": 2}, {"groups": 2}),
    (
        {"groups": 4, "stride": (2, 1), "padding": 1, "dilation": 2},
        {"groups": 4, "stride": (2, 1), "edges": ((1, 1), (1, 1)), "dilation": (2, 2)},
    ),
]
_FULL = {"stride": (1, 1), "edges": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}


def arrays(groups: int = 1) -> list[np.ndarray]:
    """Three images of four channels, eight kernels, a bias."""
    random = np.random.default_rng(groups)
    shapes = ((3, 4, 7, 8), (8, 4 // groups, 3, 2), (8,))
    return [random.standard_normal(shape) for shape in shapes]


@pytest.mark.parametrize("setting", range(len(SETTINGS)))
def test_conv2d_and_its_gradients(setting: int) -> None:
    """Every setting on both targets, in float64, with a symbolic batch; the gradients by the
    interpreter, and those against differences to second order."""
    given, full = SETTINGS[setting]
    full = {**_FULL, **full}
    data = arrays(full["groups"])
    expected = direct(*data[:2], **full) + data[2][:, None, None]
    x = gx.input("x", ("n", *data[0].shape[1:]), "float64")
    weight, bias = (gx.input(n, a.shape, "float64") for n, a in zip("wb", data[1:], strict=True))
    y = nn.conv2d(x, weight, bias, **given)
    assert y.shape[1:] == expected.shape[1:]
    loss = gx.sum(gx.tanh(y))
    outputs = [y, *gx.grad(loss, [x, weight, bias])]
    feed = dict(zip((x, weight, bias), data, strict=True))
    wanted = [gx.evaluate(node, feed) for node in outputs]
    np.testing.assert_allclose(wanted[0], expected, rtol=1e-12, atol=1e-12)
    for target in TARGETS:
        found = gx.compile([x, weight, bias], outputs, target=target)(*data)
        for value, want in zip(found, wanted, strict=True):
            np.testing.assert_allclose(value, want, rtol=1e-12, atol=1e-12)
    gx.check_gradients(loss, [x, weight, bias], feed, order=2)


@pytest.mark.parametrize("target", TARGETS)
def test_symbolic_image_sizes(target: str) -> None:
    """One compiled function for images of any size, with padding "same" too."""
    x = gx.input("x", ("n", 2, "h", "w"), "float64")
    random = np.random.default_rng(0)
    kernel = random.standard_normal((3, 2, 3, 3))
    plain, same = nn.conv2d(x, kernel), nn.conv2d(x, kernel, padding="same", stride=2)
    f = gx.compile(x, [plain, same, gx.grad(gx.sum(same * same), x)], target=target)
    for shape in ((1, 2, 3, 3), (2, 2, 8, 5), (0, 2, 4, 4)):
        data = random.standard_normal(shape)
        found, halved, slope = f(data)
        expected = direct(data, kernel, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        assert halved.shape[2:] == tuple(-(-d // 2) for d in shape[2:])
        assert slope.shape == shape
    with pytest.raises(ShapeError, match="window"):
        f(np.zeros((1, 2, 2, 5)))


def test_against_scipy() -> None:
    """One and two dimensions, in float32 and float64, a single image, NumPy arrays as kernels."""
    random = np.random.default_rng(1)
    for rank, conv in ((1, nn.conv1d), (2, nn.conv2d)):
        for dtype, tolerance in (("float32", 1e-5), ("float64", 1e-13)):
            image = random.standard_normal((2, *(9, 6)[:rank])).astype(dtype)
            kernels = random.standard_normal((3, 2, *(4, 3)[:rank])).astype(dtype)
            expected = [correlate(image, kernel, "valid")[0] for kernel in kernels]
            y = conv(gx.const(image), kernels)
            assert y.dtype.name == dtype
            np.testing.assert_allclose(gx.evaluate(y), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [1, 3])
def test_transposed_is_the_adjoint(stride: int, groups: int, target: str) -> None:
    """<conv(x), y> = <x, conv_transpose(y)> for each length that a stride maps to the same one."""
    random = np.random.default_rng(2)
    for more in range(stride):
        settings: dict[str, Any] = {
            "stride": stride, "padding": ((1, 2), (0, 1)), "dilation": (1, 2), "groups": groups,
        }  # fmt: skip
        kernel = random.standard_normal((6, 4 // groups, 3, 2))
        y = random.standard_normal((2, 6, 4, 3))
        turned = nn.conv_transpose2d(gx.input("y", ("n", 6, 4, 3), "float64"), kernel,
                                     output_padding=more, **settings)  # fmt: skip
        feed = gx.input("y", ("n", 6, 4, 3), "float64")
        turned = nn.conv_transpose2d(feed, kernel, output_padding=more, **settings)
        back = gx.compile(feed, turned, target=target)(y)
        x = random.standard_normal(back.shape)
        forward = gx.evaluate(nn.conv2d(gx.const(x), kernel, **settings))
        assert forward.shape == y.shape
        np.testing.assert_allclose(np.vdot(forward, y), np.vdot(x, back), rtol=1e-11)
        gx.check_gradients(gx.sum(turned * turned), [feed], {feed: y}, order=2)


def test_transposed_on_symbolic_sizes_with_a_bias() -> None:
    """The lengths of the result, by the formula; each element of a bias on its channel."""
    x = gx.input("x", ("n", 2, "m"), "float64")
    kernel = np.zeros((2, 3, 5))
    y = nn.conv_transpose1d(x, kernel, [1.0, 2.0, 3.0], stride=2, padding=1, output_padding=1)
    found = gx.compile(x, y)(np.ones((4, 2, 6)))
    assert found.shape == (4, 3, (6 - 1) * 2 - 2 + 5 + 1)
    assert found[0, :, 0].tolist() == [1, 2, 3]


def test_vmap_gives_a_gradient_for_each_example() -> None:
    """The kernels' gradient for each image by itself."""
    random = np.random.default_rng(3)
    images, kernel = random.standard_normal((4, 2, 5, 5)), random.standard_normal((3, 2, 3, 3))
    x, weight = gx.input("x", (4, 2, 5, 5), "float64"), gx.input("w", (3, 2, 3, 3), "float64")

    def slope(image: gx.Node) -> gx.Node:
        return gx.grad(gx.sum(gx.tanh(nn.conv2d(image, weight, stride=2))), weight)

    found = gx.compile([x, weight], gx.vmap(slope)(x))(images, kernel)
    for image, value in zip(images, found, strict=True):
        expected = gx.evaluate(slope(gx.const(image)), {weight: kernel})
        np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-12)


# ---- layers


def test_layers() -> None:
    """Shapes, names, fans of kernels, and the parameters in a model."""
    model = nn.Sequential(
        nn.Conv2d(1, 20, 5, activation="relu", padding="same", name="first"),
        nn.MaxPool(2),
        nn.Conv2d(20, 30, (3, 5), groups=10, bias=False, seed=1, name="second"),
        nn.flatten,
    )
    y = model(gx.input("x", ("n", 1, 16, 16)))
    assert str(y.shape) == "(n, 720)"
    assert [p.name for p in model.parameters] == ["first.weight", "first.bias", "second.weight"]
    first, second = model[0].weight.value, model[2].weight.value
    assert (first.shape, second.shape) == ((20, 1, 5, 5), (30, 2, 3, 5))
    assert first.std() == pytest.approx(np.sqrt(2 / 25), rel=0.1)  # He: what goes into one sum
    assert second.std() == pytest.approx(np.sqrt(2 / (2 * 15 + 30 * 15)), rel=0.1)  # Glorot
    assert repr(model).startswith(
        "Sequential(Conv2d(1, 20, 5, activation='relu', padding='same', name='first'), MaxPool(2)"
    )


def test_transposed_layers_begin_as_convolutions_do() -> None:
    """Groups keep their own kernels when the order of the axes is the transpose's."""
    layer = nn.ConvTranspose2d(4, 6, (2, 3), groups=2, stride=2, seed=5)
    assert layer.weight.shape == (4, 3, 2, 3)
    drawn = nn.init.glorot_normal((6, 2, 2, 3), seed=5)
    np.testing.assert_array_equal(layer.weight.value[2:, 1], drawn[3 + 1])
    assert str(layer(gx.input("x", ("n", 4, 5, 5))).shape) == "(n, 6, 10, 11)"
    assert str(nn.ConvTranspose1d(4, 6, 3)(gx.input("x", ("n", 4, 5))).shape) == "(n, 6, 7)"
    assert str(nn.Conv1d(4, 6, 3)(gx.input("x", ("n", 4, 5))).shape) == "(n, 6, 3)"


def x(*shape: Any, dtype: str = "float32") -> gx.Node:
    """An input."""
    return gx.input("x", shape or ("n", 4, 7, 8), dtype)


K = np.ones((6, 4, 3, 3), np.float32)
BAD: dict[str, tuple[type[Exception], Any, str]] = {
    "rank of x": (ShapeError, lambda: nn.conv2d(x(4, 7), K), "height, width"),
    "rank of kernels": (ShapeError, lambda: nn.conv2d(x(), K[0]), "4 axes"),
    "channels": (ShapeError, lambda: nn.conv2d(x(2, 3, 7, 7), K), "3 channels"),
    "channels of groups": (ShapeError, lambda: nn.conv2d(x(), K, groups=2), "2 groups"),
    "groups": (ShapeError, lambda: nn.conv2d(x(), K[:, :1], groups=4), "do not divide the 6"),
    "no groups": (ArgumentError, lambda: nn.conv2d(x(), K, groups=0), "groups"),
    "too large": (ShapeError, lambda: nn.conv2d(x(2, 4, 2, 8), K), "spans 3"),
    "too large, dilated": (ShapeError, lambda: nn.conv2d(x(), K, dilation=4), "spans 9"),
    "stride": (ArgumentError, lambda: nn.conv2d(x(), K, stride=-1), "stride"),
    "strides": (ArgumentError, lambda: nn.conv2d(x(), K, stride=(1, 2, 3)), "stride"),
    "padding": (ArgumentError, lambda: nn.conv2d(x(), K, padding=-1), "padding"),
    "padding name": (ArgumentError, lambda: nn.conv2d(x(), K, padding="full"), "'full'"),
    "padding axes": (ArgumentError, lambda: nn.conv2d(x(), K, padding=(1, 2, 3)), "2 axes"),
    "bias": (ShapeError, lambda: nn.conv2d(x(), K, np.ones(5, np.float32)), "bias"),
    "integers": (DTypeError, lambda: nn.conv2d(x(dtype="int32"), K.astype("int32")), "floats"),
    "turned channels": (ShapeError, lambda: nn.conv_transpose2d(x(), K), "4 channels"),
    "turned same": (
        ArgumentError, lambda: nn.conv_transpose2d(x(2, 6, 3, 3), K, padding="same"), "integers",
    ),
    "output padding": (
        ArgumentError,
        lambda: nn.conv_transpose2d(x(2, 6, 3, 3), K, stride=2, output_padding=2),
        "less than the stride",
    ),
    "cut to nothing": (
        ShapeError, lambda: nn.conv_transpose2d(x(2, 6, 3, 3), K, padding=4), "more than",
    ),
    "layer size": (ArgumentError, lambda: nn.Conv2d(3, 4, 0), "size"),
    "layer groups": (ArgumentError, lambda: nn.Conv2d(3, 4, 3, groups=2), "divide"),
    "layer setting": (ArgumentError, lambda: nn.Conv2d(3, 4, 3, strides=2), "'strides'"),
    "layer input": (ShapeError, lambda: nn.Conv2d(3, 4, 3)(x()), "4 channels"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_input(name: str) -> None:
    """What is wrong, with the user's line."""
    error, build, text = BAD[name]
    with pytest.raises(error, match=text) as caught:
        build()
    assert "test_convolution.py" in str(caught.value)


def test_like_pytorch() -> None:
    """The same numbers and gradients as torch, where it is there."""
    torch = pytest.importorskip("torch")
    data = arrays(2)
    tensors = [torch.tensor(a, requires_grad=True) for a in data]
    settings: dict[str, Any] = {"stride": 2, "padding": 1, "dilation": (1, 2), "groups": 2}
    result = torch.nn.functional.conv2d(*tensors, **settings)
    torch.tanh(result).sum().backward()
    nodes = [gx.input("x", a.shape, "float64") for a in data]
    y = nn.conv2d(*nodes, **settings)
    slopes = gx.grad(gx.sum(gx.tanh(y)), nodes)
    found = gx.compile(nodes, [y, *slopes])(*data)
    wanted = [result.detach(), *(tensor.grad for tensor in tensors)]
    for value, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(value, want.numpy(), rtol=1e-12, atol=1e-12)

"""LeNet: two convolutions of 5 x 5, each with ReLU and 2 x 2 pooling, and two dense layers.

Settings: `size` of the images, `channels` of the convolutions, `hidden`, `batch`, `steps`,
`optimizer`, `rate`. Images of 28 with 20 and 50 channels make the 800 inputs of the first dense
layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_numpy, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal

_WINDOW, _CLASSES = 5, 10
_NAMES = ("K0", "c0", "K1", "c1", "W0", "b0", "W1", "b1")


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x (n, 1, size, size), t (n,), K0 (20, 1, 5, 5), c0, K1 (50, 20, 5, 5), c1, W0, b0, W1, b1."""
    size, (first, second), hidden = (settings[name] for name in ("size", "channels", "hidden"))
    count, side = settings["steps"] * settings["batch"], ((size - 4) // 2 - 4) // 2
    flat = second * side * side
    return {
        "x": normal(random, count, 1, size, size),
        "t": random.integers(0, _CLASSES, count),
        "K0": normal(random, first, 1, _WINDOW, _WINDOW, scale=0.2),
        "c0": np.zeros(first, np.float32),
        "K1": normal(random, second, first, _WINDOW, _WINDOW, scale=0.05),
        "c1": np.zeros(second, np.float32),
        "W0": normal(random, flat, hidden, scale=np.sqrt(2 / flat)),
        "b0": np.zeros(hidden, np.float32),
        "W1": normal(random, hidden, _CLASSES, scale=np.sqrt(2 / hidden)),
        "b1": np.zeros(_CLASSES, np.float32),
    }


def _windows(x: Array) -> Array:
    return np.lib.stride_tricks.sliding_window_view(x, (_WINDOW, _WINDOW), axis=(2, 3))


def _convolve(x: Array, K: Array, c: Array) -> Array:
    columns = np.tensordot(_windows(x), K, axes=([1, 4, 5], [1, 2, 3]))
    return np.moveaxis(columns, -1, 1) + c[:, None, None]


def _pool(x: Array) -> tuple[Array, Array]:
    """The largest of each 2 x 2, and where it was."""
    n, channels, rows, columns = x.shape
    cells = x.reshape(n, channels, rows // 2, 2, columns // 2, 2)
    largest = cells.max(axis=(3, 5), keepdims=True)
    chosen = cells == largest
    return largest[:, :, :, 0, :, 0], chosen / chosen.sum(axis=(3, 5), keepdims=True)


def _unpool(g: Array, share: Array) -> Array:
    n, channels, rows, _, columns, _ = share.shape
    spread = g[:, :, :, None, :, None] * share
    return np.asarray(spread.reshape(n, channels, 2 * rows, 2 * columns))


def _backward(p: Given, x: Array, t: Array) -> tuple[Any, dict[str, Array]]:
    a0 = _convolve(x, p["K0"], p["c0"])
    h0, share0 = _pool(np.maximum(a0, 0))
    a1 = _convolve(h0, p["K1"], p["c1"])
    h1, share1 = _pool(np.maximum(a1, 0))
    flat = h1.reshape(len(x), -1)
    hidden = np.maximum(flat @ p["W0"] + p["b0"], 0)
    loss, g = in_numpy.softmax_cross_entropy(hidden @ p["W1"] + p["b1"], t)
    found = {"W1": hidden.T @ g, "b1": g.sum(axis=0)}
    g = (g @ p["W1"].T) * (hidden > 0)
    found |= {"W0": flat.T @ g, "b0": g.sum(axis=0)}
    g = _unpool((g @ p["W0"].T).reshape(h1.shape), share1) * (a1 > 0)
    found |= _kernel_gradients("1", h0, g)
    wide = np.pad(g, [(0, 0), (0, 0), (_WINDOW - 1,) * 2, (_WINDOW - 1,) * 2])
    g = np.tensordot(_windows(wide), p["K1"][:, :, ::-1, ::-1], axes=([1, 4, 5], [0, 2, 3]))
    g = _unpool(np.moveaxis(g, -1, 1), share0) * (a0 > 0)
    return loss, found | _kernel_gradients("0", x, g)


def _kernel_gradients(layer: str, x: Array, g: Array) -> dict[str, Array]:
    kernels = np.tensordot(g, _windows(x), axes=([0, 2, 3], [0, 2, 3]))
    return {f"K{layer}": kernels, f"c{layer}": g.sum(axis=(0, 2, 3))}


def _graphc(settings: Settings, given: Given) -> in_graphc.Trained:
    size = settings["size"]
    x = gx.input("x", ("n", 1, size, size))
    t = gx.input("t", ("n",), dtype="int64")
    K0, c0, K1, c1, W0, b0, W1, b1 = (gx.param(name, given[name]) for name in _NAMES)
    h = gx.nn.max_pool(gx.nn.relu(gx.nn.conv2d(x, K0, c0)), 2)
    h = gx.nn.flatten(gx.nn.max_pool(gx.nn.relu(gx.nn.conv2d(h, K1, c1)), 2))
    logits = gx.nn.relu(h @ W0 + b0) @ W1 + b1
    return (x, t), gx.mean(gx.nn.softmax_cross_entropy(logits, t))


def _torch(_: Settings, given: Given) -> in_torch.Trained:
    torch = library("torch")
    nn, (first, one), second = torch.nn, given["K0"].shape[:2], given["K1"].shape[0]
    model = nn.Sequential(
        nn.Conv2d(one, first, _WINDOW), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(first, second, _WINDOW), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(*given["W0"].shape), nn.ReLU(), nn.Linear(*given["W1"].shape),
    )  # fmt: skip
    with torch.no_grad():
        for parameter, name in zip(model.parameters(), _NAMES, strict=True):
            value = torch.tensor(given[name])
            parameter.copy_(value.T if name.startswith("W") else value)
    return lambda x, t: nn.functional.cross_entropy(model(x), t), list(model.parameters())


def _jax(settings: Settings, given: Given) -> in_jax.Trained:
    jax, jnp, lax = library("jax"), library("jax.numpy"), library("jax.lax")
    layouts = ("NHWC", "HWIO", "NHWC")

    def convolve(x: Any, K: Any) -> Any:
        return lax.conv_general_dilated(x, K, (1, 1), "VALID", dimension_numbers=layouts)

    def pool(x: Any) -> Any:
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def loss_of(p: Any, x: Any, t: Any) -> Any:
        h = pool(jax.nn.relu(convolve(x, p["K0"]) + p["c0"]))
        h = pool(jax.nn.relu(convolve(h, p["K1"]) + p["c1"])).reshape(x.shape[0], -1)
        return in_jax.cross_entropy(jax.nn.relu(h @ p["W0"] + p["b0"]) @ p["W1"] + p["b1"], t)

    # Channels last: the kernels, and the rows of the first dense layer.
    p, x, t = in_jax.parameters_and_data(given)
    p |= {name: np.transpose(p[name], (2, 3, 1, 0)) for name in ("K0", "K1")}
    (channels, hidden), side = (given["K1"].shape[0], settings["hidden"]), -1
    rows = p["W0"].reshape(channels, side, hidden).swapaxes(0, 1)
    p["W0"] = rows.reshape(-1, hidden)
    return loss_of, p, np.moveaxis(x, 1, -1), t


MODEL = Model(
    arrays,
    in_numpy.training(_backward),
    {"graphc": in_graphc.training(_graphc), **in_torch.training(_torch), **in_jax.training(_jax)},
)

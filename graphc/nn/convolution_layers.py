"""Layers for images and signals, channels first: convolutions that declare their parameters, and
pooling with its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

import graphc.nn.init as init
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dtype import as_dtype, default_float
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.nn.activations import activation_named
from graphc.nn.convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from graphc.nn.layers import Layer, WeightInit, default_init, layer_name
from graphc.nn.pooling import avg_pool, max_pool
from graphc.ops import param
from graphc.ops.windows import integers


class _Convolution:
    """What the four layers share; `rank` is the number of axes that a kernel moves along."""

    rank: ClassVar[int]
    function: ClassVar[Callable[..., Node]]
    turned: ClassVar[bool] = False
    bias: Node | None

    @at_user_line
    def __init__(
        self,
        inputs: int,
        units: int,
        size: Any,
        activation: str | Layer = "linear",
        *,
        seed: int = 0,
        name: str = "conv",
        bias: bool = True,
        weight_init: WeightInit | None = None,
        dtype: object = None,
        **settings: Any,
    ) -> None:
        where = type(self).__name__
        ((self.inputs,), (self.units,)) = (
            integers(where, argument, value, 1, 1)
            for argument, value in (("inputs", inputs), ("units", units))
        )
        self.size = integers(where, "size", size, self.rank, 1)
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"{where}: expected a name, a nonempty string; got {name!r}")
        self.name, self.activation, self.settings = name, activation, _known(where, settings)
        self._activate = activation_named(activation)
        chosen = default_float() if dtype is None else as_dtype(dtype)
        weight = self._initial(weight_init or default_init(activation), seed, chosen)
        self.weight = param(f"{name}.weight", weight, chosen)
        self.bias = param(f"{name}.bias", init.zeros(self.units, chosen)) if bias else None

    def _initial(self, weight_init: WeightInit, seed: int, dtype: Any) -> np.ndarray:
        """Initial kernels (units, inputs // groups, *size); for a transpose in its own order."""
        where = f"{type(self).__name__} {self.name!r}"
        (groups,) = integers(where, "groups", self.settings.get("groups", 1), 1, 1)
        if self.inputs % groups or self.units % groups:
            raise ArgumentError(
                f"{where}: expected groups to divide {self.inputs} inputs and {self.units} units; "
                f"got {groups}"
            )
        shape = (self.units, self.inputs // groups, *self.size)
        weight = np.asarray(weight_init(shape, seed=seed, dtype=dtype))
        if weight.shape != shape:
            raise ShapeError(
                f"{where}: expected weight_init to give shape {shape}, got {weight.shape}"
            )
        if not self.turned:
            return weight
        parts = weight.reshape(groups, self.units // groups, self.inputs // groups, *self.size)
        return np.concatenate(list(np.swapaxes(parts, 1, 2)))

    @property
    def parameters(self) -> list[Node]:
        """The weight, and the bias if there is one."""
        return [self.weight] if self.bias is None else [self.weight, self.bias]

    @at_user_line
    def __call__(self, x: object) -> Node:
        """The layer on x of shape (n, inputs, ...): a node of shape (n, units, ...)."""
        return self._activate(type(self).function(x, self.weight, self.bias, **self.settings))

    def __repr__(self) -> str:
        size = self.size[0] if len(set(self.size)) == 1 else self.size
        settings = "".join(f", {name}={value!r}" for name, value in self.settings.items())
        return (
            f"{type(self).__name__}({self.inputs}, {self.units}, {size}, "
            f"activation={layer_name(self.activation)!r}{settings}, name={self.name!r})"
        )


_SETTINGS = ("stride", "padding", "output_padding", "dilation", "groups")


def _known(where: str, settings: dict[str, Any]) -> dict[str, Any]:
    names = _SETTINGS if "Transpose" in where else [n for n in _SETTINGS if n != "output_padding"]
    for name in settings:
        if name not in names:
            raise ArgumentError(f"{where}: expected {', '.join(names)}; got {name!r}")
    return settings


class Conv2d(_Convolution):
    """A convolution of images with an activation: activation(conv2d(x, weight, bias, ...)).

    Args: `inputs` and `units`, the channels before and after; `size` of the kernels, an int or
    (height, width); `stride`, `padding`, `dilation` and `groups` as for `nn.conv2d`; the others as
    for `nn.Dense`. The weight has the shape (units, inputs // groups, height, width).

    >>> from graphc.ops import input
    >>> layer = Conv2d(3, 16, 5, activation="relu", padding="same", seed=0, name="conv1")
    >>> layer(input("image", ("n", 3, 32, 32))).shape, layer.weight.shape
    ((n, 16, 32, 32), (16, 3, 5, 5))
    """

    rank, function = 2, staticmethod(conv2d)


class Conv1d(_Convolution):
    """A convolution of signals (n, inputs, length): see `Conv2d`.

    >>> from graphc.ops import input
    >>> Conv1d(3, 16, 5, stride=2)(input("signal", ("n", 3, 101))).shape
    (n, 16, 49)
    """

    rank, function = 1, staticmethod(conv1d)


class ConvTranspose2d(_Convolution):
    """A transposed convolution of images: see `nn.conv_transpose2d`, and `Conv2d` for arguments.

    The weight has the shape (inputs, units // groups, height, width); `weight_init` is asked for
    (units, inputs // groups, height, width), as of a convolution.

    >>> from graphc.ops import input
    >>> ConvTranspose2d(16, 3, 4, stride=2, padding=1)(input("x", ("n", 16, 8, 8))).shape
    (n, 3, 16, 16)
    """

    rank, function, turned = 2, staticmethod(conv_transpose2d), True


class ConvTranspose1d(_Convolution):
    """A transposed convolution of signals: see `ConvTranspose2d`."""

    rank, function, turned = 1, staticmethod(conv_transpose1d), True


class _Pool:
    function: ClassVar[Callable[..., Node]]

    @at_user_line
    def __init__(self, window: Any, **settings: Any) -> None:
        self.window, self.settings = window, settings
        known = ["stride", "padding", *self.more]
        for name in settings:
            if name not in known:
                raise ArgumentError(
                    f"{type(self).__name__}: expected {', '.join(known)}; got {name!r}"
                )

    more: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[tuple[Node, ...]] = ()

    @at_user_line
    def __call__(self, x: object) -> Node:
        """The layer on x, channels first."""
        return type(self).function(x, self.window, **self.settings)

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.settings.items())
        return f"{type(self).__name__}({self.window!r}{settings})"


class MaxPool(_Pool):
    """The largest element of each window, as a layer: `nn.max_pool` with its settings.

    >>> from graphc.ops import input
    >>> MaxPool(2)(input("x", ("n", 16, 8, 8))).shape
    (n, 16, 4, 4)
    """

    function, more = staticmethod(max_pool), ("dilation",)


class AvgPool(_Pool):
    """The mean of each window, as a layer: `nn.avg_pool` with its settings."""

    function, more = staticmethod(avg_pool), ("count_include_pad",)

"""Initial values of parameters: NumPy arrays, a function of (shape, seed) alone.

Random ones come from NumPy's PCG64 in float64 and are then rounded, so that a float32 model and a
float64 model of one seed begin at the same point.

Kernels of a convolution have the shape (units, channels, size, ...): fan_in is the channels times
the elements of a kernel, fan_out the units times these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.dtype import DType, as_dtype, default_float
from graphc.ir.site import at_user_line

Array = NDArray[Any]


@at_user_line
def zeros(shape: object, dtype: object = None) -> Array:
    """Zeros, for biases.

    >>> zeros(3), zeros((2, 1)).shape
    (array([0., 0., 0.], dtype=float32), (2, 1))
    """
    return np.zeros(_shape(shape), _dtype(dtype).numpy)


@at_user_line
def constant(shape: object, value: float, dtype: object = None) -> Array:
    """The same value everywhere.

    >>> constant(2, 0.5)
    array([0.5, 0.5], dtype=float32)
    """
    return np.full(_shape(shape), value, _dtype(dtype).numpy)


@at_user_line
def normal(
    shape: object, mean: float = 0.0, std: float = 1.0, seed: int = 0, dtype: object = None
) -> Array:
    """Normal numbers of a mean and a standard deviation (at least 0)."""
    if not (math.isfinite(mean) and math.isfinite(std) and std >= 0):
        raise ArgumentError(f"normal: expected a finite mean and std >= 0, got {mean} and {std}")
    return _normal("normal", _shape(shape), mean, std, seed, dtype)


@at_user_line
def uniform(
    shape: object, low: float = 0.0, high: float = 1.0, seed: int = 0, dtype: object = None
) -> Array:
    """Numbers uniform between `low` and `high`."""
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ArgumentError(f"uniform: expected finite low <= high, got {low} and {high}")
    return _uniform("uniform", _shape(shape), low, high, seed, dtype)


@at_user_line
def glorot_normal(shape: object, seed: int = 0, dtype: object = None) -> Array:
    """Normal numbers of variance 2 / (fan_in + fan_out), for tanh, sigmoid and linear layers.

    `shape` is (fan_in, fan_out), (fan_in,) for a layer of one output, or that of kernels. X. Glorot
    and Y. Bengio: Understanding the difficulty of training deep feedforward neural networks,
    AISTATS 2010.

    >>> round(float(glorot_normal((400, 600)).std() * 500**0.5), 2)
    1.0
    """
    known, fan_in, fan_out = _fans("glorot_normal", shape)
    return _normal("glorot_normal", known, 0.0, math.sqrt(2 / (fan_in + fan_out)), seed, dtype)


@at_user_line
def glorot_uniform(shape: object, seed: int = 0, dtype: object = None) -> Array:
    """Numbers uniform within sqrt(6 / (fan_in + fan_out)) of 0: the variance of `glorot_normal`.

    `shape` as there. X. Glorot and Y. Bengio, AISTATS 2010, equation 16.
    """
    known, fan_in, fan_out = _fans("glorot_uniform", shape)
    limit = math.sqrt(6 / (fan_in + fan_out))
    return _uniform("glorot_uniform", known, -limit, limit, seed, dtype)


@at_user_line
def he_normal(shape: object, seed: int = 0, dtype: object = None) -> Array:
    """Normal numbers of variance 2 / fan_in, for layers with relu, which drops half the signal.

    `shape` is (fan_in, fan_out), (fan_in,) for a layer of one output, or that of kernels. K. He,
    X. Zhang, S. Ren and J. Sun: Delving deep into rectifiers, ICCV 2015, equation 10.

    >>> he_normal((784, 10)).dtype, he_normal((784, 10), seed=1).shape
    (dtype('float32'), (784, 10))
    """
    known, fan_in, _ = _fans("he_normal", shape)
    return _normal("he_normal", known, 0.0, math.sqrt(2 / fan_in), seed, dtype)


@at_user_line
def he_uniform(shape: object, seed: int = 0, dtype: object = None) -> Array:
    """Numbers uniform within sqrt(6 / fan_in) of 0: the variance of `he_normal`."""
    known, fan_in, _ = _fans("he_uniform", shape)
    limit = math.sqrt(6 / fan_in)
    return _uniform("he_uniform", known, -limit, limit, seed, dtype)


def _normal(
    function: str, shape: tuple[int, ...], mean: float, std: float, seed: int, dtype: object
) -> Array:
    chosen = _float_dtype(function, dtype)
    drawn = _generator(function, seed).standard_normal(shape)
    return np.asarray(mean + std * drawn, chosen.numpy)


def _uniform(
    function: str, shape: tuple[int, ...], low: float, high: float, seed: int, dtype: object
) -> Array:
    chosen = _float_dtype(function, dtype)
    drawn = _generator(function, seed).random(shape)
    return np.asarray(low + (high - low) * drawn, chosen.numpy)


def _generator(function: str, seed: object) -> np.random.Generator:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ArgumentError(f"{function}: expected an integer seed of at least 0, got {seed!r}")
    return np.random.Generator(np.random.PCG64(int(seed)))


def _dtype(dtype: object) -> DType:
    return default_float() if dtype is None else as_dtype(dtype)


def _float_dtype(function: str, dtype: object) -> DType:
    chosen = _dtype(dtype)
    if not chosen.is_float:
        raise DTypeError(f"{function}: expected float32 or float64, got {chosen}")
    return chosen


def _shape(shape: object) -> tuple[int, ...]:
    dims = tuple(shape) if isinstance(shape, Iterable) and not isinstance(shape, str) else (shape,)
    known = []
    for dim in dims:
        if isinstance(dim, bool) or not isinstance(dim, int | np.integer) or dim < 0:
            raise ShapeError(
                f"expected a shape of integers of at least 0 (the size of a parameter is fixed), "
                f"got {shape!r}"
            )
        known.append(int(dim))
    return tuple(known)


def _fans(function: str, shape: object) -> tuple[tuple[int, ...], int, int]:
    """The shape, and the numbers of values that go into and come out of one element of a layer."""
    known = _shape(shape)
    if not known:
        raise ShapeError(
            f"{function}: expected (fan_in, fan_out), (fan_in,) or kernels "
            f"(units, channels, ...), got {known}"
        )
    fan_in, fan_out = (known[0], 1) if len(known) == 1 else known[:2]
    if len(known) > 2:  # every place of a kernel takes part in each sum
        fan_out, fan_in = (count * math.prod(known[2:]) for count in known[:2])
    # A layer without inputs has no weights, whose variance does not matter.
    return known, max(fan_in, 1), max(fan_out, 1)

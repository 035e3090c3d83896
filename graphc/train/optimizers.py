"""Optimizers: from a loss and its parameters to an update for each, all symbolic.

An update is a node like any other: it can be shown, simplified and differentiated, and the compiler
sees the loss, its gradient and the step as one graph. What an optimizer remembers is in states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphc.errors import ArgumentError, DisconnectedError, DTypeError, ShapeError
from graphc.grad.reverse import grad
from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ir.site import at_user_line
from graphc.ir.traverse import topological
from graphc.ops import add, cast, expm1, sqrt, square, state
from graphc.ops.source import const, param_op, state_op

Rate = float | Node
Updates = dict[Node, Node]
Gradients = Mapping[Node, Node]


@dataclass(frozen=True)
class Optimizer:
    """A rule for updates, and the settings it was made with.

    `optimizer(loss, parameters)` differentiates; `optimizer.from_gradients({W: dW})` takes
    gradients that were made, clipped or averaged elsewhere. Both declare new states and return
    {parameter or state: its new value}, for `gx.compile(..., updates=...)`.
    """

    name: str
    settings: Mapping[str, Rate | bool]
    from_gradients: Callable[[Gradients], Updates] = field(repr=False)

    @at_user_line
    def __call__(self, loss: Node, parameters: Node | Sequence[Node]) -> Updates:
        """The updates that lower `loss`, a float scalar.

        Raises DisconnectedError naming every parameter that the loss does not depend on.
        """
        known: list[Node] = [parameters] if isinstance(parameters, Node) else list(parameters)
        _check_parameters(self.name, known)
        _check_connected(self.name, loss, known)
        gradients = grad(loss, known)
        return self.from_gradients(dict(zip(known, gradients, strict=True)))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.settings.items())})"


@at_user_line
def sgd(rate: Rate) -> Optimizer:
    """Gradient descent: W <- W - rate * dW.

    `rate` is a number, or a scalar node, such as a state with an update of its own.

    >>> from graphc.ops import mean, param
    >>> W = param("W", [1.0, 2.0])
    >>> sgd(0.1)(mean(W * W), [W])
    {<param W: float32 (2,)>: <subtract: float32 (2,)>}
    """
    _check_rate("sgd", rate)

    def updates(gradients: Gradients) -> Updates:
        return {W: W - _scalar(rate, W.dtype) * dW for W, dW in gradients.items()}

    return Optimizer("sgd", {"rate": rate}, updates)


@at_user_line
def momentum(rate: Rate, decay: float = 0.9, nesterov: bool = False) -> Optimizer:
    """Gradient descent with a velocity: v <- decay * v + dW, then W <- W - rate * v.

    With `nesterov=True`, W <- W - rate * (decay * v + dW), with the new v. At a constant rate these
    are the methods of B. T. Polyak (1964) and Y. Nesterov (1983) in the form of I. Sutskever,
    J. Martens, G. Dahl and G. Hinton: On the importance of initialization and momentum in deep
    learning, ICML 2013; v is their velocity divided by -rate, and W, with Nesterov's method, the
    point that they look ahead to.

    The state of W is named "W.velocity".
    """
    _check_rate("momentum", rate)
    _check_decay("momentum", "decay", decay)

    def updates(gradients: Gradients) -> Updates:
        result: Updates = {}
        for W, dW in gradients.items():
            velocity = _zero_state(W, "velocity")
            moved = decay * velocity + dW
            direction = decay * moved + dW if nesterov else moved
            result[W] = W - _scalar(rate, W.dtype) * direction
            result[velocity] = moved
        return result

    settings = {"rate": rate, "decay": decay, "nesterov": bool(nesterov)}
    return Optimizer("momentum", settings, updates)


@at_user_line
def adam(
    rate: Rate = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> Optimizer:
    """Adam: steps of about `rate`, whatever the size of the gradients.

    m <- beta1 m + (1 - beta1) dW, v <- beta2 v + (1 - beta2) dW**2, and after t steps
    W <- W - rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon). D. P. Kingma and
    J. Ba: Adam: a method for stochastic optimization, ICLR 2015, algorithm 1.

    The states of W are named "W.first_moment" and "W.second_moment"; the int64 state "adam.step"
    counts the steps.
    """
    _check_rate("adam", rate)
    _check_decay("adam", "beta1", beta1)
    _check_decay("adam", "beta2", beta2)
    if not _is_number(epsilon) or not 0 < epsilon < math.inf:
        raise ArgumentError(f"adam: expected a finite epsilon > 0, got {epsilon!r}")

    def updates(gradients: Gradients) -> Updates:
        count = state("adam.step", np.zeros((), np.int64))
        result: Updates = {}
        for W, dW in gradients.items():
            m, v = _zero_state(W, "first_moment"), _zero_state(W, "second_moment")
            result[m] = beta1 * m + (1 - beta1) * dW
            result[v] = beta2 * v + (1 - beta2) * square(dW)
            steps = cast(add(count, 1), W.dtype)
            # Algorithm 1 with what is the same for all elements taken out of the elementwise part.
            step_size = _scalar(rate, W.dtype) / _bias_correction(beta1, steps)
            root_scale = 1 / sqrt(_bias_correction(beta2, steps))
            result[W] = W - step_size * result[m] / (sqrt(result[v]) * root_scale + epsilon)
        result[count] = add(count, 1)
        return result

    settings = {"rate": rate, "beta1": beta1, "beta2": beta2, "epsilon": epsilon}
    return Optimizer("adam", settings, updates)


def _bias_correction(beta: float, steps: Node) -> Node:
    """1 - beta**steps, without the power, which in float32 loses three digits of it at first."""
    if beta == 0:
        return const(1.0, steps.dtype)
    return -expm1(math.log(beta) * steps)


def _zero_state(W: Node, what: str) -> Node:
    return state(f"{W.name}.{what}", np.zeros(W.value.shape, W.dtype.numpy))


def _scalar(rate: Rate, dtype: DType) -> Node:
    """The rate in the parameter's own dtype, so that a float64 schedule does not widen float32."""
    return cast(rate, dtype) if isinstance(rate, Node) else const(rate, dtype)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _check_rate(name: str, rate: object) -> None:
    if isinstance(rate, Node):
        if rate.shape != ():
            raise ShapeError(f"{name}: expected a scalar rate, got {shape_text(rate.shape)}")
        if not rate.dtype.is_float:
            raise DTypeError(f"{name}: expected a float rate, got {rate.dtype}")
        return
    if not _is_number(rate) or not 0 <= float(rate) < math.inf:  # type: ignore[arg-type]
        raise ArgumentError(
            f"{name}: expected a rate that is a finite number >= 0 or a scalar node, got {rate!r}"
        )


def _check_decay(name: str, argument: str, value: object) -> None:
    if not _is_number(value) or not 0 <= float(value) < 1:  # type: ignore[arg-type]
        raise ArgumentError(f"{name}: expected 0 <= {argument} < 1, got {value!r}")


def _check_parameters(name: str, parameters: Sequence[Node]) -> None:
    if not parameters:
        raise ArgumentError(f"{name}: expected at least one parameter, got none")
    for node in parameters:
        if not isinstance(node, Node) or node.op not in (param_op, state_op):
            raise ArgumentError(f"{name}: expected parameters, got {node!r}")
        if not node.dtype.is_float:
            raise DTypeError(f"{name}: cannot train {node!r}: expected floats")
    if len(set(parameters)) != len(parameters):
        twice = next(node for i, node in enumerate(parameters) if node in parameters[:i])
        raise ArgumentError(f"{name}: expected each parameter once, got {twice!r} twice")


def _check_connected(name: str, loss: Node, parameters: Sequence[Node]) -> None:
    if not isinstance(loss, Node):
        raise ArgumentError(f"{name}: expected a loss that is a node, got {type(loss).__name__}")
    reached = set(topological([loss]))
    lost = [repr(node.name) for node in parameters if node not in reached]
    if lost:
        raise DisconnectedError(
            f"{name}: the loss does not depend on {', '.join(lost)}; "
            f"leave out what it does not depend on"
        )

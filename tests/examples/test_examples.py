"""Every example, run as a user runs it; the numbers and formulas it teaches are the right ones."""

from __future__ import annotations

import ast
import math
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


class Run:
    """What an example printed, and the names that it left."""

    def __init__(self, name: str, text: str, names: dict[str, Any]) -> None:
        self.name, self.text, self.names = name, text, names

    def __getitem__(self, name: str) -> Any:
        return self.names[name]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def run_example(name: str) -> Run:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [f"{name}.py"])
        names = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        assert list(tmp_path.iterdir()) == []
        return Run(name, capsys.readouterr().out, names)

    return run_example


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_how_to_run_it(name: str) -> None:
    """It begins with what it teaches, and with the command, in which its own name is right."""
    text = (EXAMPLES / f"{name}.py").read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert f"python examples/{name}.py" in docstring
    assert len(text.splitlines()) <= 80
    assert max(map(len, text.splitlines())) <= 100


def test_every_example_has_a_test() -> None:
    """A new file in examples/ needs a test of what it prints."""
    tested = {
        node.args[0].value
        for node in ast.walk(ast.parse(Path(__file__).read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run"
    }  # fmt: skip
    assert tested == set(NAMES)


def test_an_example_runs_by_itself(tmp_path: Path) -> None:
    """From another directory, as a plain script, without anything that the tests set up."""
    ended = subprocess.run(
        [sys.executable, EXAMPLES / "circuit.py"], cwd=tmp_path, capture_output=True, check=True
    )
    assert ended.stdout
    assert ended.stderr == b""


def test_circuit(run: Any) -> None:
    """f = (x + y) z at (-2, 5, -4) is -12, with gradients -4, -4 and 3, in each of three ways."""
    found = run("circuit")
    table = found["table"]
    assert [float(table[name].gradient) for name in "xyz"] == [-4, -4, 3]
    assert (float(table["q"].value), float(table["f"].value)) == (3, -12)
    assert float(table["q"].gradient) == -4
    assert (found["value"], found["gradients"]) == (-12, [-4, -4, 3])
    assert "df/dz = x + y" in found.text
    assert "f = -12.0 with gradients [-4.0, -4.0, 3.0]" in found.text


def test_sigmoid_neuron(run: Any) -> None:
    """0.73 and its five gradients, by hand, gate by gate, and as one node."""
    found = run("sigmoid_neuron")
    value = 1 / (1 + math.exp(-1))  # the score is 2 * -1 + -3 * -2 - 3 = 1
    slope = value * (1 - value)
    expected = {"w0": -slope, "x0": 2 * slope, "w1": -2 * slope, "x1": -3 * slope, "w2": slope}
    for table in (found["gates"], found["one_node"]):
        assert float(table["s"].value) == 1
        assert float(table["f"].value) == pytest.approx(value, rel=1e-6)
        for name, gradient in expected.items():
            assert float(table[name].gradient) == pytest.approx(gradient, rel=1e-5), name
    assert len(found["gates"].rows) == len(found["one_node"].rows) + 3
    assert found.text.endswith("1 / (1 + exp(-s)) = σ(s)\n")


def test_xor(run: Any) -> None:
    """The linear model's 0.5, each stage of the known solution, and a network that learns it."""
    found = run("xor")
    assert found["answers"] == pytest.approx([0.5] * 4, abs=1e-6)
    assert found["slope"].value == pytest.approx([0, 0], abs=1e-6)
    assert float(found["offset"].value) == pytest.approx(0.5, abs=1e-6)
    feed = {found["x"]: found["points"]}
    stages = [gx.evaluate(stage, feed).tolist() for stage in found["stages"].values()]
    assert stages == [
        [[0, 0], [1, 1], [1, 1], [2, 2]],
        [[0, -1], [1, 0], [1, 0], [2, 1]],
        [[0, 0], [1, 0], [1, 0], [2, 1]],
        [0, 1, 1, 0],
    ]
    for stage in stages:
        assert f" {np.array(stage, float).tolist()}\n" in found.text
    assert found["learned"] == pytest.approx([0, 1, 1, 0], abs=0.02)


def test_sympy_to_native(run: Any) -> None:
    """The motion is that of a double pendulum, its Jacobian that of differences."""
    found = run("sympy_to_native")
    state = np.array([0.3, -0.2, 0.5, 0.1])
    a, b, p, q = state
    # The accelerations of two equal rods and masses, from a textbook's linear system.
    mass = np.array([[2, np.cos(a - b)], [np.cos(a - b), 1]])
    force = -np.sin(a - b) * np.array([q**2, -(p**2)]) - 9.81 * np.array([2 * np.sin(a), np.sin(b)])
    values, jacobian = found["slope"](tuple(state))
    assert values[:, 0] == pytest.approx([p, q, *np.linalg.solve(mass, force)])
    for i, shift in enumerate(1e-6 * np.eye(4)):
        above, below = (found["slope"](tuple(state + s))[0] for s in (shift, -shift))
        assert jacobian[:, i] == pytest.approx((above - below)[:, 0] / 2e-6, abs=1e-6)
    assert found["drift"] < 1e-2
    assert "back in SymPy: (-2*x*sin(x) + cos(x))*exp(-x**2)" in found.text


def test_logistic_regression(run: Any) -> None:
    """The gradient as a lecturer writes it; its value; and a boundary between the clouds."""
    found = run("logistic_regression")
    assert "dw = Xᵀ (σ(X w + b) - t) / n\n" in found.text
    points, labels = found["points"].astype(np.float64), found["labels"].astype(np.float64)
    w, b = found["w"].value, float(found["b"].value)
    by_hand = points.T @ (1 / (1 + np.exp(-(points @ w + b))) - labels) / len(labels)
    feed = {found["X"]: found["points"], found["t"]: found["labels"]}
    assert gx.evaluate(found["dw"], feed) == pytest.approx(by_hand, abs=1e-6)
    assert np.all(np.diff(found["losses"]) < 0)
    assert found["accuracies"][-1] > 0.88  # the clouds overlap: the best line reads 92 %
    # The clouds lie on both sides of the origin, on a diagonal: so the line falls, through 0.
    assert w[0] == pytest.approx(w[1], rel=0.2)
    assert abs(b) < 0.3


def test_softmax_regression(run: Any) -> None:
    """The gradient as a lecturer writes it; its value; and what one layer can learn of digits."""
    found = run("softmax_regression")
    assert "dW = Xᵀ (softmax(X W + b) - onehot(t)) / n\n" in found.text
    images, labels = found["data"].test_images, found["data"].test_labels
    scores = images.astype(np.float64) @ found["W"].value + found["b"].value
    said = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    by_hand = images.T @ (said - np.eye(10)[labels]) / len(labels)
    assert gx.evaluate(found["dW"], {found["X"]: images, found["t"]: labels}) == pytest.approx(
        by_hand, abs=1e-5
    )
    assert found["held_out"] == pytest.approx(np.mean(scores.argmax(axis=1) == labels))
    assert found["held_out"] > 0.93


def test_weight_decay(run: Any) -> None:
    """Two paths to one weight: their gradients, by hand, and the sum of both."""
    found = run("weight_decay")
    assert "through the prediction: Xᵀ (X W - y) / n\n" in found.text
    assert "through the penalty:    2 * λ * W\n" in found.text
    assert "together:               Xᵀ (X W - y) / n + 2 * λ * W\n" in found.text
    X, y, W = np.array([[1, 0, 2], [0, 1, -1]]), np.array([5, -3]), np.array([1, -2, 3])
    by_prediction, by_penalty = X.T @ (X @ W - y) / 2, 2 * 0.1 * W
    expected = (by_prediction, by_penalty, by_prediction + by_penalty)
    for value, by_hand in zip(found["values"], expected, strict=True):
        assert value == pytest.approx(by_hand, rel=1e-6)
    assert "dloss/dW = [1.2, -1.4, 3.6]" in found.text


def test_digits_mlp(run: Any) -> None:
    """Layers and a trainer read the digits, and the compiled reader agrees with the history."""
    found = run("digits_mlp")
    accuracy = found["history"]["validation_accuracy"][-1]
    assert np.mean(found["answers"] == found["held_out"][1]) == pytest.approx(accuracy)
    assert accuracy > 0.96
    assert "epoch " in found.text
    assert "is read as 4 and is 4\n" in found.text


def test_lenet_digits(run: Any) -> None:
    """A convolutional network learns to read, and says which pixels speak for its answer."""
    found = run("lenet_digits")
    accuracy = found["history"]["validation_accuracy"][-1]
    assert np.mean(found["answers"] == found["held_out"][1]) == pytest.approx(accuracy)
    assert accuracy > 0.95
    assert "Conv2d(1, 6, 5, activation='relu'" in found.text
    feed = {found["x"]: found["image"]}
    best = gx.max(found["scores"], axis=1)
    expected = gx.evaluate(gx.grad(gx.sum(best), found["x"]), feed)
    np.testing.assert_allclose(found["speaks"], expected, rtol=1e-4, atol=1e-4)
    assert "is read as 4 and is 4 by" in found.text


def test_ode_fit(run: Any) -> None:
    """The rates of an equation: a fit as good as the noise allows, and error bars that say how near
    the truth it is."""
    found = run("ode_fit")
    freedom = 2 * found["COUNT"] - 4
    assert abs(2 * found["best"] - freedom) < 3 * math.sqrt(2 * freedom)
    truth, errors = found["TRUE"], found["errors"]
    assert np.all(np.abs(found["fitted"] - truth) < 3 * errors)
    assert np.all(errors < 0.02 * truth)
    assert found.text.count("+-") == 4

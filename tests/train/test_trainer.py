"""The trainer: what it measures, what it repeats to the bit, and what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import (
    ArgumentError,
    CheckpointError,
    DTypeError,
    GraphcError,
    NonFiniteError,
    ShapeError,
)
from graphc.train import trainer as trainer_module
from graphc.train.carried import carried_nodes
from graphc.train.checkpoint import load_parameters, save_parameters
from graphc.train.early_stopping import EarlyStopping
from graphc.train.history import History, Row
from graphc.train.optimizers import adam, momentum, sgd
from graphc.train.progress import Silence
from graphc.train.trainer import Trainer, mean_over_examples

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(50, 3)).astype(np.float32)
LABELS = (FEATURES @ np.array([2.0, -1.0, 0.5]) + 0.3 > 0).astype(np.int64)
DATA = (FEATURES, LABELS)
HELD_OUT = (FEATURES[::3] + np.float32(0.1), LABELS[::3])


def logistic(rule: Any = None, dtype: str = "float32", **settings: Any) -> Trainer:
    """Logistic regression of two classes, from a known start."""
    x = gx.input("x", ("n", 3), dtype=dtype)
    t = gx.input("t", ("n",), dtype="int64")
    w = gx.param("w", [0.5, -0.5, 0.25], dtype)
    b = gx.param("b", 0.1, dtype)
    z = x @ w + b
    loss = gx.mean(gx.nn.sigmoid_cross_entropy(z, t))
    accuracy = gx.mean(gx.equal(gx.greater(z, 0), gx.greater(t, 0)))
    metrics = {"accuracy": accuracy}
    return Trainer(loss, [x, t], rule or sgd(0.5), **{"metrics": metrics, **settings})


def network(seed: int = 0) -> Trainer:
    """A small network with dropout and Adam: everything that a run can carry."""
    x = gx.input("x", ("n", 3))
    t = gx.input("t", ("n",), dtype="int64")
    stream = gx.random.stream(5)
    h = gx.nn.Dense(3, 8, "tanh", seed=seed, name="hidden")(x)
    z = gx.nn.Dense(8, 2, seed=seed + 1, name="output")(gx.nn.dropout(h, 0.25, stream))
    loss = gx.mean(gx.nn.softmax_cross_entropy(z, t))
    accuracy = gx.mean(gx.equal(gx.argmax(z, axis=1), t))
    return Trainer(loss, [x, t], adam(0.01), metrics={"accuracy": accuracy})


def quiet(trainer: Trainer, epochs: int = 3, **settings: Any) -> History:
    arguments: dict[str, Any] = {"batch_size": 8, "progress": False, **settings}
    return trainer.fit(arguments.pop("data", DATA), epochs=epochs, **arguments)


def bits(trainer: Trainer) -> list[bytes]:
    """All that the trainer carries, to the bit."""
    return [array.tobytes() for array in trainer._snapshot().values()]


def by_hand(w: np.ndarray, b: float, data: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """Loss and accuracy of logistic regression in float64."""
    z = data[0].astype(np.float64) @ w + b
    loss = np.logaddexp(0, z) - data[1] * z
    return float(loss.mean()), float(((z > 0) == (data[1] > 0)).mean())


# --- what is measured ---


def test_an_epoch_is_gradient_descent_over_the_batches_in_order() -> None:
    """Against NumPy: parameters and the mean over examples of what each batch measured."""
    trainer = logistic(dtype="float64")
    history = quiet(trainer, epochs=2, batch_size=8, shuffle=False)
    w, b = np.array([0.5, -0.5, 0.25]), 0.1
    for row in history:
        total = np.zeros(2)
        for start in range(0, 50, 8):
            X, T = FEATURES[start : start + 8].astype(np.float64), LABELS[start : start + 8]
            total += np.array(by_hand(w, b, (X, T))) * len(T)
            error = 1 / (1 + np.exp(-(X @ w + b))) - T
            w, b = w - 0.5 * X.T @ error / len(T), b - 0.5 * error.mean()
        assert row["loss"] == pytest.approx(total[0] / 50, rel=1e-12)
        assert row["accuracy"] == pytest.approx(total[1] / 50, rel=1e-6)
    weights, bias = trainer.parameters
    np.testing.assert_allclose(weights.value, w, rtol=1e-12)
    np.testing.assert_allclose(bias.value, b, rtol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 7, 8, 49, 50, 51, 1000])
def test_evaluation_weighs_a_short_last_batch_by_its_size(batch_size: int) -> None:
    """In whatever pieces, the result is that of all examples at once."""
    trainer = logistic(dtype="float64")
    w, b = (node.value for node in trainer.parameters)
    loss, accuracy = by_hand(w, float(b), DATA)
    found = trainer.evaluate(DATA, batch_size=batch_size)
    assert list(found) == ["loss", "accuracy"]
    assert found["loss"] == pytest.approx(loss, rel=1e-12)
    assert found["accuracy"] == pytest.approx(accuracy, rel=1e-6)  # a mean of booleans: float32


def test_training_weighs_a_short_last_batch_by_its_size() -> None:
    """With a rate of 0 an epoch measures the data itself, in any order."""
    trainer = logistic(sgd(0.0), dtype="float64")
    row = quiet(trainer, epochs=1, batch_size=8).epochs[0]
    whole = trainer.evaluate(DATA, batch_size=50)
    assert row["loss"] == pytest.approx(whole["loss"], rel=1e-12)
    assert row["accuracy"] == pytest.approx(whole["accuracy"], rel=1e-6)


def test_the_mean_over_examples_is_exact() -> None:
    """One short batch, several whole ones, and sums that would cancel."""
    assert mean_over_examples(np.array([3.0]), 10, 4) == 3.0
    assert mean_over_examples(np.array([1.0, 4.0]), 2, 3) == 2.0
    assert mean_over_examples(np.array([1e16, 1.0, -1e16]), 1, 3) == pytest.approx(1 / 3)
    assert mean_over_examples(np.array([True, False]), 2, 4) == 0.5


def test_validation_is_measured_after_the_epoch() -> None:
    """The last row agrees with an evaluation of the trained model, to the bit."""
    trainer = logistic()
    row = quiet(trainer, validation=HELD_OUT).epochs[-1]
    assert list(row) == ["epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    found = trainer.evaluate(HELD_OUT, batch_size=8)
    assert found == {"loss": row["validation_loss"], "accuracy": row["validation_accuracy"]}


def test_validation_changes_nothing() -> None:
    """A run with it has the same training columns and parameters as one without."""
    plain, validated = network(), network()
    first, second = quiet(plain), quiet(validated, validation=HELD_OUT)
    assert first["loss"] == second["loss"]
    assert bits(plain) == bits(validated)


def test_dropout_is_on_in_training_and_off_in_evaluation() -> None:
    """At a rate of 0 training still draws masks; evaluation repeats itself without any."""
    x = gx.input("x", ("n", 3))
    w = gx.param("w", [1.0, 1.0, 1.0])
    noisy = gx.nn.dropout(x, 0.5, gx.random.stream(0))
    loss = gx.mean(gx.square(noisy @ w))
    trainer = Trainer(loss, [x], sgd(0.0))
    history = trainer.fit((np.ones((64, 3)),), 8, 3, progress=False)
    assert len(set(history["loss"])) == 3
    assert trainer.evaluate((np.ones((64, 3)),)) == {"loss": 9.0}


def test_training_learns() -> None:
    """The separable problem is learned, by each optimizer."""
    for rule in (sgd(0.5), momentum(0.1), momentum(0.1, nesterov=True), adam(0.1)):
        trainer = logistic(rule)
        before = trainer.evaluate(DATA)
        history = quiet(trainer, epochs=30)
        after = trainer.evaluate(DATA)
        assert after["loss"] < 0.5 * before["loss"]
        assert after["accuracy"] >= 0.96
        assert len(history) == 30


def test_a_single_output_is_no_special_case() -> None:
    """Without metrics there is a loss, and nothing else."""
    trainer = logistic(metrics=None)
    assert list(quiet(trainer, epochs=1).epochs[0]) == ["epoch", "loss"]
    assert list(trainer.evaluate(DATA)) == ["loss"]


def test_the_targets_agree() -> None:
    """The emitted source without Numba trains to the same numbers."""
    native, plain = logistic(), logistic(target="python")
    first, second = quiet(native, epochs=2), quiet(plain, epochs=2)
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-5)
    for a, b in zip(native.parameters, plain.parameters, strict=True):
        np.testing.assert_allclose(a.value, b.value, rtol=1e-5)


# --- the same bits ---


def test_the_same_seed_gives_the_same_bits() -> None:
    """History and everything carried; another seed gives another order, so other bits."""
    runs = [network(), network(), network()]
    first, second, third = (
        quiet(run, seed=seed, validation=HELD_OUT)
        for run, seed in zip(runs, (1, 1, 2), strict=True)
    )
    assert first.epochs == second.epochs
    assert bits(runs[0]) == bits(runs[1])
    assert first["loss"] != third["loss"]


def test_without_shuffling_the_seed_does_not_matter() -> None:
    """The order is that of the data."""
    one, other = logistic(), logistic()
    assert quiet(one, seed=1, shuffle=False).epochs == quiet(other, seed=2, shuffle=False).epochs


def test_every_epoch_has_an_order_of_its_own() -> None:
    """Seen by the example that comes last; without shuffling it is always the same."""
    x = gx.input("x", ("n",))
    w, last = gx.param("w", 1.0), gx.state("last", 0.0)
    trainer = Trainer(gx.mean(x * w), [x], sgd(0.0), updates={last: gx.sum(x)})
    seen: list[float] = []
    settings: dict[str, Any] = {"progress": False, "on_epoch": lambda _: seen.append(last.value)}
    trainer.fit(np.arange(100.0), 1, 6, **settings)
    trainer.fit(np.arange(100.0), 1, 6, **settings)
    assert len(set(map(float, seen))) > 6
    seen.clear()
    trainer.fit(np.arange(100.0), 1, 3, shuffle=False, **settings)
    assert seen == [99.0] * 3


def test_epochs_in_one_loop_are_epochs_one_by_one() -> None:
    """Where nothing happens between them they run natively together, to the same rows and bits."""
    together, apart = network(), network()
    first = quiet(together, epochs=5)
    second = quiet(apart, epochs=5, on_epoch=lambda row: None)
    assert first.epochs == second.epochs
    assert bits(together) == bits(apart)
    assert len(first.seconds) == len(second.seconds) == 5
    assert min(first.seconds + second.seconds) > 0


def test_two_fits_are_one_long_fit() -> None:
    """Epochs are counted on, so that the order of the fourth is the fourth's."""
    whole, parts = network(), network()
    expected = quiet(whole, epochs=4)
    quiet(parts, epochs=3)
    found = quiet(parts, epochs=1)
    assert found.epochs == expected.epochs
    assert [row["epoch"] for row in found] == [1, 2, 3, 4]
    assert bits(whole) == bits(parts)
    assert parts.epoch == 4


def test_a_saved_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """A fresh trainer of other initial values loads, continues, and ends where one run would."""
    whole, first, second = network(), network(), network(seed=7)
    expected = quiet(whole, epochs=4, validation=HELD_OUT)
    quiet(first, epochs=2, validation=HELD_OUT)
    first.save(tmp_path / "run.safetensors")
    second.load(tmp_path / "run.safetensors")
    assert second.epoch == 2
    assert bits(second) == bits(first)
    found = quiet(second, epochs=2, validation=HELD_OUT)
    assert found.epochs == expected.epochs[2:]
    assert bits(second) == bits(whole)


def test_loading_takes_a_run_back(tmp_path: Path) -> None:
    """Within one trainer too; the rows of epochs that are undone leave the history."""
    trainer = network()
    quiet(trainer, epochs=2)
    trainer.save(tmp_path / "run.safetensors")
    expected = [dict(row) for row in quiet(trainer, epochs=2)]
    trainer.load(tmp_path / "run.safetensors")
    assert [row["epoch"] for row in trainer.history] == [1, 2]
    assert quiet(trainer, epochs=2).epochs == expected


# --- files ---


def test_a_file_holds_parameters_and_states_by_name(tmp_path: Path) -> None:
    """Under names that a reader knows, with the number of epochs."""
    trainer = logistic(momentum(0.1))
    quiet(trainer, epochs=2)
    trainer.save(tmp_path / "run.safetensors")
    arrays = load_parameters(tmp_path / "run.safetensors")
    assert {"w", "b", "w.velocity", "b.velocity", "trainer.epoch"} <= set(arrays)
    assert arrays["trainer.epoch"] == 2
    assert (arrays["w"] == trainer.parameters[0].value).all()


def test_equal_names_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """Two layers of one name, a parameter named as the file's own entry, and a hostile name."""
    x = gx.input("x", ("n", 2))
    h = gx.nn.Dense(2, 2, "tanh", seed=1)(x)
    odd = gx.param("trainer.epoch", 1.0)
    evil = gx.param("__metadata__", 2.0)
    y = gx.nn.Dense(2, 1, seed=2)(h)[:, 0] * odd + evil
    trainer = Trainer(gx.mean(gx.square(y)), [x], momentum(0.1))
    data = (np.ones((4, 2), np.float32),)
    trainer.fit(data, 2, 2, progress=False)
    trainer.save(tmp_path / "run.safetensors")
    before = [node.value for node in trainer.parameters]
    trainer.fit(data, 2, 1, progress=False)
    trainer.load(tmp_path / "run.safetensors")
    for node, value in zip(trainer.parameters, before, strict=True):
        assert (node.value == value).all()
    assert trainer.epoch == 2
    names = set(load_parameters(tmp_path / "run.safetensors"))
    assert {"dense.weight", "dense.weight#2", "trainer.epoch", "trainer.epoch#2"} <= names


def test_a_file_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    """Every difference is listed, and the model stays as it was."""
    path = tmp_path / "run.safetensors"
    trainer = logistic(momentum(0.1))
    trainer.save(path)
    arrays = load_parameters(path)
    arrays["w"] = arrays["w"].astype(np.float64)
    arrays["b.velocity"] = np.zeros(3, np.float32)
    arrays["extra"] = arrays.pop("b")
    save_parameters(path, arrays)
    quiet(trainer, epochs=1)
    before = bits(trainer)
    with pytest.raises(CheckpointError) as raised:
        trainer.load(path)
    for part in (
        "run.safetensors", "'w' is float64 (3,), expected float32 (3,)", "'b' is missing",
        "'extra' is not in the model", "'b.velocity' is float32 (3,), expected float32 ()",
    ):  # fmt: skip
        assert part in str(raised.value)
    assert bits(trainer) == before


def test_bad_files(tmp_path: Path) -> None:
    """A missing one, a damaged one, and one from an impossible epoch."""
    trainer = logistic()
    before = bits(trainer)
    path = tmp_path / "run.safetensors"
    with pytest.raises(CheckpointError, match="no such file"):
        trainer.load(path)
    trainer.save(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match=r"run\.safetensors"):
        trainer.load(path)
    for name, message in (("epoch", "got -1 and 0"), ("step", "got 0 and -1")):
        save_parameters(path, {**trainer._snapshot(), f"trainer.{name}": np.asarray(-1, np.int64)})
        with pytest.raises(CheckpointError, match=f"an epoch and a step >= 0, {message}"):
            trainer.load(path)
    assert bits(trainer) == before


# --- early stopping ---


def approach(target: float, epochs: int, rule: EarlyStopping | None) -> tuple[Trainer, list[float]]:
    """One parameter on its way from 0 to 10, validated against `target`; its value by epoch."""
    t = gx.input("t", ("n",), dtype="float64")
    w = gx.param("w", 0.0, dtype="float64")
    trainer = Trainer(gx.mean(gx.nn.squared_error(w + 0.0 * t, t)), [t], momentum(0.1, 0.5))
    values: list[float] = []
    trainer.fit(
        (np.full(4, 10.0),), 4, epochs, validation=(np.full(3, target),), early_stopping=rule,
        progress=False, on_epoch=lambda row: values.append(float(w.value)),
    )  # fmt: skip
    return trainer, values


def test_early_stopping_goes_back_to_the_best_epoch() -> None:
    """The run ends `patience` epochs after the best one, with that one's parameters and states."""
    trainer, values = approach(5.0, 50, EarlyStopping(patience=3))
    best = int(np.argmin(np.abs(np.array(values) - 5.0))) + 1
    assert 1 < best < 20
    assert trainer.history.best_epoch == best
    assert len(values) == len(trainer.history) == best + 3
    assert trainer.parameters[0].value == values[best - 1]
    reference, _ = approach(5.0, best, None)
    found, expected = trainer._snapshot(), reference._snapshot()
    assert found["w.velocity"] == expected["w.velocity"]
    assert "*" in str(trainer.history)


def test_early_stopping_may_keep_the_last_epoch() -> None:
    """`restore_best=False` only stops."""
    trainer, values = approach(5.0, 50, EarlyStopping(patience=3, restore_best=False))
    assert trainer.parameters[0].value == values[-1]
    assert trainer.history.best_epoch is None


def test_the_best_epoch_is_restored_when_the_epochs_run_out() -> None:
    """Patience or not, training ends with the best parameters."""
    trainer, values = approach(5.0, 8, EarlyStopping(patience=100))
    best = int(np.argmin(np.abs(np.array(values) - 5.0))) + 1
    assert best < 8 == len(values)
    assert trainer.parameters[0].value == values[best - 1]


def test_a_rule_can_be_used_again() -> None:
    """It remembers nothing of the run before."""
    rule = EarlyStopping(patience=3)
    lengths = {len(approach(5.0, 50, rule)[1]) for _ in range(2)}
    assert len(lengths) == 1


def test_early_stopping_is_checked_before_training() -> None:
    """An unknown column, and what is no rule."""
    trainer = logistic()
    before = bits(trainer)
    with pytest.raises(ArgumentError, match="one of loss, accuracy; got 'validation_loss'"):
        quiet(trainer, early_stopping=EarlyStopping(monitor="validation_loss"))
    with pytest.raises(ArgumentError, match="expected an EarlyStopping or None, got 5"):
        quiet(trainer, early_stopping=5)
    assert bits(trainer) == before


# --- interruptions ---


def test_an_exception_keeps_the_history_so_far() -> None:
    """What `on_epoch` raises ends the run; completed epochs are there, and training can go on."""
    trainer, expected = network(), network()

    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quiet(trainer, epochs=5, on_epoch=stop)
    assert [row["epoch"] for row in trainer.history] == [1, 2]
    assert quiet(trainer, epochs=1).epochs == quiet(expected, epochs=3).epochs
    assert bits(trainer) == bits(expected)


def test_the_progress_is_closed_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a traceback does not begin in the middle of a bar."""
    told: list[str] = []

    class Recorder(Silence):
        def begin_epoch(self, epoch: int) -> None:
            told.append(f"begin {epoch}")

        def end_epoch(self, row: Row, seconds: float) -> None:
            told.append(f"end {row['epoch']}")
            if row["epoch"] == 2:
                raise KeyboardInterrupt

        def close(self) -> None:
            told.append("close")

    monkeypatch.setattr(trainer_module, "show_progress", lambda *_: Recorder())
    with pytest.raises(KeyboardInterrupt):
        logistic().fit(DATA, 8, 5)
    assert told == ["begin 1", "end 1", "begin 2", "end 2", "close"]


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Ctrl-C after so many seconds."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_ctrl_c_leaves_the_parameters_consistent(alarm: Callable[[float], None]) -> None:
    """Simultaneous updates stay simultaneous: two counters that move together never part."""
    x = gx.input("x", ("n",))
    w = gx.param("w", 0.0)
    first, second = gx.state("first", 0), gx.state("second", 1)
    more = {first: first + 1, second: second + 1}
    trainer = Trainer(gx.mean(gx.square(x - w)), [x], sgd(1e-6), updates=more)
    data = (np.ones(200_000, np.float32),)
    trainer.fit(data, 1000, 1, progress=False)
    alarm(0.3)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(data, 1, 10**6, progress=False)
    assert second.value == first.value + 1
    assert first.value > 200
    assert len(trainer.history) == trainer.epoch >= 1
    assert np.isfinite(w.value)


def test_a_diverging_run_stops_at_its_last_good_parameters() -> None:
    """The error names the step; parameters are finite, and rows of good epochs are kept."""
    x = gx.input("x", ("n",))
    w = gx.param("w", 1.0)
    trainer = Trainer(gx.mean(gx.square(gx.square(x * w))), [x], sgd(0.3))
    with pytest.raises(NonFiniteError, match="step"):
        trainer.fit((np.full(8, 3.0),), 8, 100, progress=False)
    assert np.isfinite(w.value)
    assert len(trainer.history) == trainer.epoch < 100
    assert np.isfinite(trainer.history["loss"]).all()


# --- other forms of data, optimizers and updates ---


def test_data_is_converted_once_to_the_declared_types() -> None:
    """float64, lists, strided and Fortran-ordered arrays give the same bits as what they hold."""
    reference = quiet(logistic()).epochs
    for data in (
        (FEATURES.astype(np.float64), LABELS.astype(np.int32)),
        [FEATURES.tolist(), LABELS.tolist()],
        (np.asfortranarray(FEATURES), np.repeat(LABELS, 2)[::2]),
    ):
        assert quiet(logistic(), data=data).epochs == reference


def test_a_single_input_needs_no_tuple() -> None:
    """One array for one input."""
    x = gx.input("x", ("n",))
    w = gx.param("w", 0.0)
    trainer = Trainer(gx.mean(gx.square(x - w)), x, sgd(0.5))
    trainer.fit(np.full(6, 2.0), 6, 60, progress=False)
    assert w.value == pytest.approx(2.0, rel=1e-6)
    assert trainer.evaluate(np.full(6, 3.0)) == {"loss": pytest.approx(1.0, rel=1e-5)}


def test_only_the_chosen_parameters_move() -> None:
    """The others are frozen, and still saved."""
    x = gx.input("x", ("n",))
    w, frozen = gx.param("w", 1.0), gx.param("frozen", 2.0)
    trainer = Trainer(gx.mean(gx.square(x * w * frozen)), [x], sgd(0.01), parameters=[w])
    trainer.fit(np.ones(4), 4, 2, progress=False)
    assert frozen.value == 2.0
    assert w.value != 1.0
    assert set(trainer._snapshot()) == {"w", "frozen", "trainer.epoch", "trainer.step"}


def test_other_states_can_be_updated_along() -> None:
    """A learning rate that halves with every step, beside the optimizer's own updates."""
    x = gx.input("x", ("n",))
    w = gx.param("w", 1.0)
    rate = gx.state("rate", 0.5)
    loss = gx.mean(x) * w
    trainer = Trainer(loss, [x], sgd(rate), updates={rate: rate * 0.5})
    trainer.fit(np.ones(4), 1, 1, progress=False)
    assert w.value == 1.0 - 0.5 - 0.25 - 0.125 - 0.0625
    assert rate.value == 0.5**5


def test_any_function_to_updates_is_an_optimizer() -> None:
    """Three lines of one's own."""

    def sign_descent(loss: Any, parameters: Any) -> Any:
        gradients = gx.grad(loss, parameters)
        return {W: W - 0.25 * gx.sign(g) for W, g in zip(parameters, gradients, strict=True)}

    x = gx.input("x", ("n",))
    w = gx.param("w", 1.0)
    trainer = Trainer(gx.mean(gx.square(x * w)), [x], sign_descent)
    trainer.fit(np.ones(4), 4, 3, progress=False)
    assert w.value == 0.25


def test_no_epochs_is_no_training() -> None:
    """An empty history, and nothing changed."""
    trainer = logistic()
    before = bits(trainer)
    assert len(quiet(trainer, epochs=0)) == 0
    assert bits(trainer) == before


def test_rows_reach_on_epoch() -> None:
    """Each as it was appended."""
    rows: list[Any] = []
    history = quiet(logistic(), epochs=3, on_epoch=rows.append)
    assert rows == history.epochs


# --- what is refused ---


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"data": (FEATURES, LABELS[:-1])}, ShapeError, "'x' has 50, 't' has 49"),
        ({"data": (FEATURES[:0], LABELS[:0])}, ArgumentError, "at least one example, got none"),
        ({"data": (FEATURES[:, :2], LABELS)}, ShapeError, r"'x': expected shape \(n, 3\), got"),
        ({"data": (FEATURES, LABELS[:, None])}, ShapeError, r"'t': expected shape \(n,\), got"),
        ({"data": (FEATURES, LABELS + 0.5)}, DTypeError, "'t': expected int64 values, got float"),
        ({"data": (FEATURES.astype(str), LABELS)}, DTypeError, "'x': expected float32 values"),
        ({"data": (FEATURES + 1j, LABELS)}, DTypeError, "'x': expected float32 values, got compl"),
        ({"data": ([[1, 2, 3], [4]], [0, 1])}, ArgumentError, "expected an array for 'x'"),
        ({"data": (1.0, LABELS)}, ShapeError, "an axis of examples for 'x', got a number"),
        ({"data": (FEATURES,)}, ArgumentError, "2 arrays, for 'x', 't'; got 1 arrays"),
        ({"data": FEATURES}, ArgumentError, "2 arrays, for 'x', 't'; got ndarray"),
        ({"data": None}, ArgumentError, "2 arrays, for 'x', 't'; got NoneType"),
        ({"validation": (FEATURES,)}, ArgumentError, "validation: expected a tuple of 2 arrays"),
        ({"validation": (FEATURES[:0], LABELS[:0])}, ArgumentError, "validation: .*at least one"),
        ({"validation": (FEATURES[:, :1], LABELS)}, ShapeError, r"'x': expected shape \(n, 3\)"),
        ({"batch_size": 0}, ArgumentError, "fit: expected batch_size .* >= 1, got 0"),
        ({"batch_size": -8}, ArgumentError, "fit: expected batch_size .* >= 1, got -8"),
        ({"batch_size": 2.5}, ArgumentError, "fit: expected batch_size .*integer.*got 2.5"),
        ({"batch_size": None}, ArgumentError, "fit: expected batch_size .*integer.*got None"),
        ({"epochs": -1}, ArgumentError, "fit: expected epochs .* >= 0, got -1"),
        ({"epochs": 1.0}, ArgumentError, "fit: expected epochs .*integer.*got 1.0"),
        ({"epochs": True}, ArgumentError, "fit: expected epochs .*integer.*got True"),
        ({"seed": -1}, ArgumentError, "fit: expected seed .* >= 0, got -1"),
        ({"seed": "a"}, ArgumentError, "fit: expected seed .*integer.*got 'a'"),
    ],
)
def test_bad_calls_are_refused_before_the_first_step(
    settings: dict[str, Any], error: type[GraphcError], message: str
) -> None:
    """The message names the input or the argument and the user's line; nothing has changed."""
    trainer = logistic()
    before = bits(trainer)
    with pytest.raises(error, match=f"(?s){message}.*Written at .*test_trainer.py"):
        quiet(trainer, **settings)
    assert bits(trainer) == before
    assert len(trainer.history) == 0


def test_bad_evaluations() -> None:
    """The same checks, under the name of what was called."""
    trainer = logistic()
    with pytest.raises(ArgumentError, match="evaluate: expected batch_size"):
        trainer.evaluate(DATA, batch_size=0)
    with pytest.raises(ShapeError, match="evaluate: expected as many examples"):
        trainer.evaluate((FEATURES, LABELS[1:]))


X, Y = gx.input("x", ("n",)), gx.input("y", ("n",))
W = gx.param("w", 1.0)
LOSS = gx.mean(gx.square(X - W))


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Trainer(X - W, [X], sgd(0.1)), ShapeError, r"loss to be a scalar, got.*\(n,\)"),
        (lambda: Trainer(gx.sum(gx.argmax(X, axis=0)), [X], sgd(0.1)), DTypeError, "be a float"),
        (lambda: Trainer(1.0, [X], sgd(0.1)), ArgumentError, "loss to be a node, got float"),
        (lambda: Trainer(gx.mean(X), [X], sgd(0.1)), ArgumentError, "depends on parameters"),
        (lambda: Trainer(LOSS, [], sgd(0.1)), ArgumentError, "at least one input"),
        (lambda: Trainer(LOSS, [X, X], sgd(0.1)), ArgumentError, "each input once"),
        (lambda: Trainer(LOSS, [W], sgd(0.1)), ArgumentError, "inputs made by gx.input, got <pa"),
        (lambda: Trainer(LOSS, ["x"], sgd(0.1)), ArgumentError, "inputs made by gx.input, got 'x'"),
        (
            lambda: Trainer(gx.input("s") * W, [gx.input("s")], sgd(0.1)),
            ShapeError,
            r"input 's' to have an axis of examples .*got \(\)",
        ),
        (
            lambda: Trainer(gx.mean(gx.input("s", (8,))) * W, [gx.input("s", (8,))], sgd(0.1)),
            ShapeError,
            r"input 's' to have an axis of examples of any length.*got \(8,\)",
        ),
        (
            lambda: Trainer(LOSS, [X], sgd(0.1), metrics={"error": X}),
            ShapeError,
            r"metric 'error' to be a scalar, got shape \(n,\); reduce it with gx.mean",
        ),
        (lambda: Trainer(LOSS, [X], sgd(0.1), metrics={"e": 1}), ArgumentError, "metric 'e'"),
        (lambda: Trainer(LOSS, [X], sgd(0.1), metrics={"loss": LOSS}), ArgumentError, "'loss'"),
        (lambda: Trainer(LOSS, [X], sgd(0.1), metrics={"epoch": LOSS}), ArgumentError, "'epoch'"),
        (
            lambda: Trainer(LOSS, [X], sgd(0.1), metrics={"validation_loss": LOSS}),
            ArgumentError,
            "'validation_loss'",
        ),
        (lambda: Trainer(LOSS, [X], sgd(0.1), metrics={"a\nb": LOSS}), ArgumentError, "printable"),
        (lambda: Trainer(LOSS, [X], sgd(0.1), metrics={3: LOSS}), ArgumentError, "printable"),
        (lambda: Trainer(LOSS, [X], sgd(0.1), updates={W: W * 2}), ArgumentError, "twice"),
        (lambda: Trainer(LOSS, [X], sgd(0.1), updates={X: W}), ArgumentError, "updates of states"),
        (lambda: Trainer(LOSS, [X], sgd(0.1), parameters=[]), ArgumentError, "parameters"),
    ],
)
def test_bad_models_are_refused(
    build: Callable[[], Trainer], error: type[GraphcError], message: str
) -> None:
    """At construction, with the user's line."""
    with pytest.raises(error, match=f"(?s)Trainer: .*{message}.*Written at .*test_trainer.py"):
        build()


def test_an_input_that_is_not_fed_is_an_error() -> None:
    """The loss needs y, which is not among the inputs."""
    with pytest.raises(GraphcError, match=r"input y.*test_trainer.py"):
        Trainer(gx.mean(gx.square(X - Y * W)), [X], sgd(0.1))


def test_everything_carried_is_found() -> None:
    """Optimizer states and states that only a metric reads are part of a checkpoint."""
    seen = gx.state("seen", 3.0)
    x = gx.input("x", ("n",))
    w = gx.param("w", 1.0)
    trainer = Trainer(
        gx.mean(gx.square(x - w)), [x], momentum(0.1), metrics={"scaled": gx.mean(x) * seen}
    )
    assert {"w", "w.velocity", "seen"} <= set(trainer._snapshot())
    assert [n.name for n in carried_nodes(trainer.updates.values())] == ["w", "w.velocity"]


# --- on a terminal and in a pipe ---

PROGRAM = """
import numpy as np, graphc as gx
from graphc.train.trainer import Trainer
from graphc.train.optimizers import sgd
x = gx.input("x", ("n",))
w = gx.param("w", 0.0)
trainer = Trainer(gx.mean(gx.square(x - w)), [x], sgd(0.1))
print(trainer.fit((np.ones(10),), 4, 3, validation=(np.ones(3),)))
"""


def test_a_pipe_gets_no_control_characters() -> None:
    """Standard error holds a line an epoch, standard output the table."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    lines = ended.stderr.splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("validation_loss" in line for line in lines)
    assert len(ended.stdout.splitlines()) == 4
    for text in (ended.stdout, ended.stderr):
        assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_a_terminal_gets_a_bar() -> None:
    """A pseudo-terminal sees it redrawn, up to all steps of all epochs."""
    parent, child = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.DEVNULL, stderr=child
    ) as process:
        os.close(child)
        shown = b""
        while True:
            try:
                part = os.read(parent, 4096)
            except OSError:  # how Linux says that the other side has closed
                break
            if not part:
                break
            shown += part
        assert process.wait() == 0
    os.close(parent)
    assert b"\r" in shown
    assert b"epoch 3/3" in shown
    assert b"9/9" in shown

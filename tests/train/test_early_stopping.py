"""Early stopping as a rule over rows: patience, direction, margin, and the values kept."""

from __future__ import annotations

from typing import Any

import pytest

import graphc as gx
from graphc.errors import ArgumentError
from graphc.train.early_stopping import EarlyStopping, Watch


def run(rule: EarlyStopping, values: list[float], column: str = "loss") -> tuple[int, int | None]:
    """How many epochs ran, and which was the best."""
    watch = Watch(rule, [column], [])
    for epoch, value in enumerate(values, 1):
        if watch.finished({"epoch": epoch, column: value}):
            return epoch, watch.best_epoch
    return len(values), watch.best_epoch


def test_patience_counts_epochs_without_improvement() -> None:
    """It begins anew with each improvement; a tie is none."""
    assert run(EarlyStopping(patience=2), [5, 4, 4, 4, 1]) == (4, 2)
    assert run(EarlyStopping(patience=3), [5, 4, 4, 4, 1]) == (5, 5)
    assert run(EarlyStopping(patience=2), [5, 6, 4, 6, 3, 6, 6, 1]) == (7, 5)
    assert run(EarlyStopping(patience=1), [1, 2, 0]) == (2, 1)
    assert run(EarlyStopping(patience=5), [3, 2, 1]) == (3, 3)


def test_min_delta_is_a_margin() -> None:
    """An improvement that is not larger does not count, also when small ones add up slowly."""
    rule = EarlyStopping(patience=2, min_delta=0.5)
    assert run(rule, [5, 4.75, 4.5, 4.25]) == (3, 1)
    assert run(rule, [5, 4.75, 4.25, 4.0, 3.5]) == (5, 5)


def test_the_direction_follows_the_name_unless_said() -> None:
    """Losses and errors shrink, all else grows."""
    falling = [3.0, 2.0, 1.0]
    for column in ("loss", "validation_loss", "error", "squared_error"):
        assert run(EarlyStopping(1, monitor=column), falling, column)[0] == 3
    for column in ("accuracy", "validation_accuracy", "lossless"):
        assert run(EarlyStopping(1, monitor=column), falling, column)[0] == 2
    assert run(EarlyStopping(1, mode="max"), falling)[0] == 2
    assert run(EarlyStopping(1, monitor="score", mode="min"), falling, "score")[0] == 3


def test_nan_is_never_an_improvement() -> None:
    """A metric that is NaN from the start ends the run by patience, with no best epoch."""
    assert run(EarlyStopping(patience=2), [float("nan")] * 5) == (2, None)
    assert run(EarlyStopping(patience=2), [1.0, float("nan"), float("nan"), 0.5]) == (3, 1)


def test_validation_is_monitored_where_there_is_some() -> None:
    """The default is validation_loss, else loss."""
    assert Watch(EarlyStopping(), ["loss", "validation_loss"], []).monitor == "validation_loss"
    assert Watch(EarlyStopping(), ["loss", "accuracy"], []).monitor == "loss"


def test_the_best_values_are_copies() -> None:
    """What is put back is what was carried at the best epoch, whatever happened since."""
    W, v = gx.param("W", [1.0, 2.0]), gx.state("v", 5.0)
    watch = Watch(EarlyStopping(patience=5), ["loss"], [W, v])
    watch.finished({"epoch": 1, "loss": 3.0})
    W.value, v.value = [8.0, 9.0], 6.0
    watch.finished({"epoch": 2, "loss": 4.0})
    assert watch.restore() == 1
    assert W.value.tolist() == [1.0, 2.0]
    assert v.value == 5.0


def test_restoring_can_be_switched_off() -> None:
    """The last values stay."""
    W = gx.param("W", 1.0)
    watch = Watch(EarlyStopping(restore_best=False), ["loss"], [W])
    watch.finished({"epoch": 1, "loss": 3.0})
    W.value = 2.0
    assert watch.restore() is None
    assert W.value == 2.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 0}, "integer patience >= 1, got 0"),
        ({"patience": 1.5}, "integer patience >= 1, got 1.5"),
        ({"patience": True}, "integer patience >= 1, got True"),
        ({"min_delta": -0.1}, "min_delta >= 0, got -0.1"),
        ({"min_delta": float("nan")}, "min_delta >= 0, got nan"),
        ({"min_delta": "0"}, "min_delta >= 0, got '0'"),
        ({"mode": "maximum"}, "mode 'auto', 'min' or 'max', got 'maximum'"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    """Each names the setting, its range and what came."""
    with pytest.raises(ArgumentError, match=f"EarlyStopping: expected .*{message}"):
        EarlyStopping(**settings)


def test_an_unknown_column_is_refused_at_the_start() -> None:
    """Not after an epoch that took an hour."""
    with pytest.raises(ArgumentError, match="monitor to be one of loss, accuracy; got 'acc'"):
        Watch(EarlyStopping(monitor="acc"), ["loss", "accuracy"], [])

"""The history: columns, tables as text and HTML, and rows that do not all have the same columns."""

from __future__ import annotations

import math

import pytest

from graphc.errors import ArgumentError
from graphc.train.history import History, number_text


def example() -> History:
    history = History()
    history.append({"epoch": 1, "loss": 2.0, "accuracy": 0.25}, 0.5)
    history.append({"epoch": 2, "loss": 1.0, "accuracy": 0.5, "validation_loss": 3.0}, 0.25)
    return history


def test_columns() -> None:
    """A column is a list with a number for each epoch, NaN where it was not measured."""
    history = example()
    assert len(history) == 2
    assert list(history) == history.epochs
    assert history["loss"] == [2.0, 1.0]
    assert history["epoch"] == [1, 2]
    assert history.columns == ["epoch", "loss", "accuracy", "validation_loss"]
    missing, last = history["validation_loss"]
    assert math.isnan(missing)
    assert last == 3.0


def test_an_unknown_column_lists_the_known_ones() -> None:
    """Also when there are none yet."""
    with pytest.raises(ArgumentError, match="one of epoch, loss, accuracy.*got 'lss'"):
        example()["lss"]
    with pytest.raises(ArgumentError, match="no columns yet"):
        History()["loss"]


def test_the_table_is_aligned() -> None:
    """Every line has the same width, and numbers four digits; the best epoch is marked."""
    history = example()
    history.best_epoch = 1
    head, *lines = str(history).splitlines()
    assert head.split() == ["epoch", "loss", "accuracy", "validation_loss", "seconds"]
    assert lines[0].split() == ["*1", "2.000", "0.2500", "0.50"]
    assert lines[1].split() == ["2", "1.000", "0.5000", "3.000", "0.25"]
    assert {len(line) for line in lines} == {len(head)}


def test_an_empty_history_prints() -> None:
    """Before the first epoch there is a head and nothing else."""
    assert str(History()).split() == ["epoch", "seconds"]
    assert "0 epochs" in repr(History())


def test_html_escapes_names() -> None:
    """The name of a metric is text, not markup."""
    history = History()
    history.append({"epoch": 1, "<script>alert('x')</script>": 1.0}, 0.1)
    page = history._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<tr>") == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0, 1e300, 5e-324, 10, True])
def test_any_number_has_a_text(value: float) -> None:
    """Nothing that can be measured breaks a table."""
    assert number_text(value).strip()

"""Elementwise kernels that read across the memory of an operand walk it in tiles."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (16, 16), (17, 100), (300, 129)])
@pytest.mark.parametrize("target", ["python", "cpu"])
def test_transposed_operands(shape: tuple[int, int], target: str) -> None:
    """Matrices, and batches of them in every order of axes."""
    if target == "python" and shape[0] > 17:
        pytest.skip("interpreted text is slow")
    value = np.random.default_rng(3).standard_normal((4, *shape)).astype("f")
    x, y = gx.input("x", ("n", "m")), gx.input("y", (4, "n", "m"))
    moved = [gx.transpose(y, axes) + x.shape[0] * 0 for axes in ((0, 2, 1), (2, 0, 1), (1, 2, 0))]
    function = gx.compile(
        [x, y], [gx.exp(x.T), x.T * 2 + gx.swapaxes(y, 1, 2), *moved], target=target
    )
    found = function(value[0], value)
    wanted = [np.exp(value[0].T), value[0].T * 2 + value.swapaxes(1, 2)]
    wanted += [value.transpose(axes) for axes in ((0, 2, 1), (2, 0, 1), (1, 2, 0))]
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-6)


def test_only_what_reads_across_is_in_tiles() -> None:
    x = gx.input("x", ("n", "m"))
    (copied,) = gx.compile(x, x.T + 1).kernels
    (plain,) = gx.compile(x, x + x[:1]).kernels
    assert "start" in copied.source
    assert "start" not in plain.source

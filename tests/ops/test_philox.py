"""Philox: the published bits, and the counters that graphc makes of its own four numbers."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ops.philox import NumpyWords, draw, philox, random_words

ONES = 2**32 - 1
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)


@pytest.mark.parametrize(
    "counter, key, block",
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (PI, (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)
def test_known_answers(
    counter: tuple[int, ...], key: tuple[int, ...], block: tuple[int, ...]
) -> None:
    """Protects the algorithm: the known-answer vectors of Random123 (Salmon et al. 2011)."""
    words = NumpyWords()
    with np.errstate(over="ignore"):
        got = philox(words, tuple(map(words.word, counter)), tuple(map(words.word, key)))
    assert tuple(map(int, got)) == block


def test_counter_layout() -> None:
    """Protects saved runs: the place of key, use, step and index in counter and key."""
    words = NumpyWords()
    key, use, step, index = 0x0123456789ABCDEF, 7, 0x100000003, 0x500000002
    counter = tuple(map(words.word, (2, 5, 3, 7)))
    with np.errstate(over="ignore"):
        block = philox(words, counter, (words.word(0x89ABCDEF), words.word(0x01234567 ^ 1)))
    assert random_words(key, use, step, index) == block[0]


def test_arrays_and_numbers_draw_the_same() -> None:
    """Protects the oracle: one call for an array is the same as a call for each index."""
    index = np.array([[0, 1, 2**31], [2**32, 2**40, 2**62]])
    block = random_words(5, 1, 9, index)
    assert block.dtype == np.uint32
    assert block.shape == index.shape
    each = [random_words(5, 1, 9, int(number)) for number in index.ravel()]
    assert block.ravel().tolist() == [int(word) for word in each]


def test_every_argument_counts() -> None:
    """Protects independent streams: every bit of key and index, and 32 of use and step, counts.

    The upper halves of use and step share key bits: they change the draw too, but not apart.
    """
    start, widths = (3, 5, 7, 11), (63, 32, 32, 63)
    drawn = {int(random_words(*start))}
    for place, width in enumerate(widths):
        for bit in range(width):
            flipped = [number ^ (1 << bit if i == place else 0) for i, number in enumerate(start)]
            drawn.add(int(random_words(*flipped)))
    assert len(drawn) >= sum(widths)  # two of 191 words are equal by chance once in 200,000 seeds
    for changed in ((3, 5 ^ 1 << 40, 7, 11), (3, 5, 7 ^ 1 << 40, 11)):
        assert random_words(*changed) != random_words(*start)


def test_negative_numbers_are_their_bits() -> None:
    """Protects 64-bit seeds that a signed integer shows as negative."""
    assert random_words(-1, 0, 0, 4) == random_words(2**64 - 1, 0, 0, 4)
    words = NumpyWords()
    assert [int(word) for word in words.split(np.int64(-2))] == [ONES - 1, ONES]


def test_bits_are_even() -> None:
    """Protects against a slip in the rounds that known answers would not show over many draws."""
    bits = random_words(1, 2, 3, np.arange(1 << 14))
    share = np.unpackbits(bits.view(np.uint8)).reshape(-1, 32).mean(axis=0)
    assert np.all(np.abs(share - 0.5) < 5 * 0.5 / np.sqrt(bits.size))
    with np.errstate(over="ignore"):
        assert draw(NumpyWords(), *map(np.int64, (1, 2, 3, 0))) == bits[0]

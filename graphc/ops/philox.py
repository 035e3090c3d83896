"""Philox-4x32-10, a counter-based generator of random bits (Salmon, Moraes, Dror, Shaw: Parallel
random numbers, SC 2011).

A block of four 32-bit words is a bijective function of a 128-bit counter and a 64-bit key: no
state, so any lane of any thread draws its own number, in any order. One text serves NumPy arrays
and machine code, and gives the same bits in both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Value = Any
"""A NumPy number or array of words, or an LLVM value that carries the same operators."""

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
# The golden ratio and sqrt(3) - 1, each times 2**32 (Weyl sequences of the key).
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)

Words = tuple[Value, Value, Value, Value]
# What draws each word of a block is called in a kernel.
WORD_NAMES = ("random_bits", "random_bits_b", "random_bits_c", "random_bits_d")


class WordArithmetic(ABC):
    """What Philox asks of a machine beyond `+` (wrapping) and `^` on 32-bit words."""

    @abstractmethod
    def word(self, number: int) -> Value:
        """A 32-bit word."""

    @abstractmethod
    def split(self, number: Value) -> tuple[Value, Value]:
        """`(low, high)` words of a 64-bit integer."""

    @abstractmethod
    def multiply_wide(self, a: Value, b: Value) -> tuple[Value, Value]:
        """`(high, low)` words of the 64-bit product of two words."""


class NumpyWords(WordArithmetic):
    """32-bit words as numpy.uint32 scalars or arrays."""

    def word(self, number: int) -> Value:
        return np.uint32(number)

    def split(self, number: Value) -> tuple[Value, Value]:
        bits = np.asarray(number)
        bits = bits.astype(np.int64).view(np.uint64) if bits.dtype != np.uint64 else bits
        return bits.astype(np.uint32)[()], (bits >> np.uint64(32)).astype(np.uint32)[()]

    def multiply_wide(self, a: Value, b: Value) -> tuple[Value, Value]:
        product = np.multiply(a, b, dtype=np.uint64)
        return (product >> np.uint64(32)).astype(np.uint32), product.astype(np.uint32)


def philox(m: WordArithmetic, counter: Words, key: tuple[Value, Value]) -> Words:
    """The four words of one block, from four counter words and two key words."""
    first, second = m.word(MULTIPLIERS[0]), m.word(MULTIPLIERS[1])
    a, b, c, d = counter
    key_a, key_b = key
    for turn in range(ROUNDS):
        if turn:
            key_a, key_b = key_a + m.word(KEY_STEPS[0]), key_b + m.word(KEY_STEPS[1])
        high_a, low_a = m.multiply_wide(a, first)
        high_c, low_c = m.multiply_wide(c, second)
        a, b, c, d = high_c ^ b ^ key_a, low_c, high_a ^ d ^ key_b, low_a
    return a, b, c, d


def draw(
    m: WordArithmetic, key: Value, use: Value, step: Value, index: Value, word: int = 0
) -> Value:
    """One word, of four, of the block that belongs to (key, use, step, index).

    Counter words: index low, index high, step low, use low. Key words: key low, and key high ^ step
    high ^ use high (so a use or a step of 2**32 and more still counts).
    """
    key_low, key_high = m.split(key)
    use_low, use_high = m.split(use)
    step_low, step_high = m.split(step)
    index_low, index_high = m.split(index)
    counter = (index_low, index_high, step_low, use_low)
    return philox(m, counter, (key_low, key_high ^ step_high ^ use_high))[word]


def random_words(key: int, use: int, step: int, index: ArrayLike, word: int = 0) -> Any:
    """uint32 random bits, one for each 64-bit index, as an array of the shape of `index` (or a
    scalar).

    `key`, `use` and `step` are 64-bit integers; a block has the words 0 to 3. The same bits as
    `random_bits` in a compiled kernel.

    >>> random_words(0, 0, 0, [0, 1]).tolist()
    [1713891541, 4175744164]
    """
    words = [np.uint64(number % 2**64).view(np.int64) for number in (key, use, step)]
    with np.errstate(over="ignore"):
        return draw(NumpyWords(), words[0], words[1], words[2], np.asarray(index), word)

"""The checksums that S3 knows, by the names in its headers. Knows nothing of HTTP or files."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol


class Checksum(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class ReflectedCrc:
    """A CRC that Python has not got, at tens of MB/s instead of the ten that a table and a loop over bytes reach.

    A CRC is the remainder of the message as a polynomial over GF(2), and a Python integer can hold the message. Folding
    replaces it by a shorter one with the same remainder: the first half, times x^(length of the second half) mod P, is
    added to the second half. What is left at the end goes through the table. Bits are reflected: the lowest is first.
    """

    BLOCK = 1 << 16
    SHORT = 64  # bytes: below, the table is as fast

    def __init__(self, width: int, polynomial: int) -> None:
        self._width, self._polynomial = width, polynomial
        self._ones = (1 << width) - 1
        self._state = self._ones

    def update(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), self.BLOCK):
            self._update_block(bytes(view[start : start + self.BLOCK]))

    def _update_block(self, data: bytes) -> None:
        if len(data) > self.SHORT:
            data = self._fold(data)
            self._state = 0
        table, state = _table(self._width, self._polynomial), self._state
        for byte in data:
            state = table[(state ^ byte) & 0xFF] ^ (state >> 8)
        self._state = state

    def _fold(self, data: bytes) -> bytes:
        message = int.from_bytes(data, "little") ^ self._state
        # zeros before the first bit change nothing, and with few lengths there are few constants
        bits = 1 << (8 * len(data) - 1).bit_length()
        message <<= bits - 8 * len(data)
        while bits > 8 * self.SHORT:
            rest = (bits + self._width + 1) // 2
            first = bits - rest
            factor = _power_of_x(rest, self._width, self._polynomial)
            product = _multiply(message & ((1 << first) - 1), factor)
            message = (message >> first) ^ (product << (rest - first - self._width + 1))
            bits = rest
        whole = -(-bits // 8)
        return (message << (8 * whole - bits)).to_bytes(whole, "little")

    def digest(self) -> bytes:
        return (self._state ^ self._ones).to_bytes(self._width // 8, "big")


def _multiply(a: int, b: int) -> int:
    """Without carries: the product of polynomials over GF(2)."""
    product = 0
    while b:
        low = b & -b
        product ^= a * low
        b ^= low
    return product


@lru_cache(maxsize=1024)
def _power_of_x(exponent: int, width: int, polynomial: int) -> int:
    """x^exponent mod P, reflected."""
    table = _table(width, polynomial)
    value = 1 << (width - 1)
    for _ in range(exponent // 8):
        value = table[value & 0xFF] ^ (value >> 8)
    for _ in range(exponent % 8):
        value = (value >> 1) ^ (polynomial if value & 1 else 0)
    return value


@lru_cache(maxsize=8)
def _table(width: int, polynomial: int) -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


def _md5() -> Checksum:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Checksum:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: dict[str, Callable[[], Checksum]] = {
    "crc32": Crc32,
    "crc32c": lambda: ReflectedCrc(32, 0x82F63B78),
    "crc64nvme": lambda: ReflectedCrc(64, 0x9A6C9329AC4BC9B5),
    "md5": _md5,
    "sha1": _sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}
# a CRC of the whole object can be told from its parts' bytes alone; AWS makes it the default for this one
FULL_OBJECT_ONLY = {"crc64nvme"}
COMPOSITE_ONLY = {"sha1", "sha256", "sha512", "md5"}

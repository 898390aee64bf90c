"""Which block of the pod network a Calico node claims: the node's name alone decides where it starts to look.

Calico seeds Go's pseudo-random generator with a hash of the node's name, draws one number, takes the block of that
number, and if that is taken the next one, and so on. Source: projectcalico/calico v3.32.1,
libcalico-go/lib/ipam/ipam_block_reader_writer.go; the generator is Go's math/rand (rng.go, big.Int.Rand).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Network

# Go's generator (rng.go) adds two earlier numbers: x[n] = x[n - 607] + x[n - 273].
_LENGTH = 607
_TAP = 273
_FEED = _LENGTH - _TAP
_MASK = 2**63 - 1  # Go keeps 64 bits, but a drawn number shows bits 31 to 62 only, and a sum carries upwards only
_WARM_UP_STEPS = 7_800_000_000_000  # Go's start table is the generator's state after 780e10 steps

# Go's seeding (seedrand in rng.go): x = 48271 * x mod (2**31 - 1); the first 20 values are thrown away.
_SEED_MODULUS = 2**31 - 1
_SEED_FACTOR = 48271
_SEED_SKIP = 20
_SEED_INSTEAD_OF_ZERO = 89482311

_FNV_OFFSET = 2166136261
_FNV_PRIME = 16777619

_PACKED_BYTES = 20  # 607 products of two 63-bit numbers need less than 160 bits


def blocks_for(node: str, pool: IPv4Network, block_size: int) -> Iterator[IPv4Network]:
    """Every block of ``pool`` in the order in which the node named ``node`` tries to claim it.

    block_size: prefix length of a block. Raises ValueError if a block does not fit into the pool.
    (Calico places blocks of /32 in another way; labctl's configuration does not allow them.)
    """
    if not pool.prefixlen <= block_size <= pool.max_prefixlen:
        raise ValueError(f"a block of /{block_size} does not fit into the pool {pool}")
    count = 2 ** (block_size - pool.prefixlen)
    addresses_per_block = 2 ** (pool.max_prefixlen - block_size)
    first_address = int(pool.network_address)
    start = _first_index(node, count)
    for step in range(count):
        index = (start + step) % count
        yield IPv4Network((first_address + index * addresses_per_block, block_size))


def _first_index(node: str, count: int) -> int:
    """Go's ``big.Int.Rand`` below ``count``: draw as many bits as count has, again while the number is too large."""
    draws = _random_words(_fnv_1(node))
    mask = (1 << count.bit_length()) - 1
    while True:
        low, high = next(draws), next(draws)
        number = (high << 32 | low) & mask
        if number < count:
            return number


def _fnv_1(text: str) -> int:
    """The FNV-1 hash, 32 bits: multiply, then xor (FNV-1a does it the other way round)."""
    value = _FNV_OFFSET
    for byte in text.encode():
        value = value * _FNV_PRIME % 2**32 ^ byte
    return value


def _random_words(seed: int) -> Iterator[int]:
    """What Go's ``rand.New(rand.NewSource(seed)).Uint32()`` returns, call after call."""
    seed_words = _seed_words(seed % _SEED_MODULUS or _SEED_INSTEAD_OF_ZERO, shift=20)
    state = [word ^ start for word, start in zip(seed_words, _start_table(), strict=True)]
    tap, feed = 0, _FEED
    while True:
        tap, feed = (tap - 1) % _LENGTH, (feed - 1) % _LENGTH
        state[feed] = state[feed] + state[tap] & _MASK
        yield state[feed] >> 31


def _seed_words(seed: int, shift: int) -> list[int]:
    """607 words, each of three consecutive values of the seeding sequence, ``shift`` bits apart."""
    value = seed * pow(_SEED_FACTOR, _SEED_SKIP, _SEED_MODULUS) % _SEED_MODULUS
    words = []
    for _ in range(_LENGTH):
        word = 0
        for position in (2, 1, 0):
            value = value * _SEED_FACTOR % _SEED_MODULUS
            word ^= value << position * shift
        words.append(word)
    return words


@cache
def _start_table() -> tuple[int, ...]:
    """Go's table ``rngCooked``, computed rather than copied (about 0.2 s, once a process).

    The state after n steps is linear in the first state: its coefficients are the polynomial x^n, taken modulo
    x^607 = x^334 + 1, which is the generator's rule. So 43 squarings do the work of 780e10 steps.
    """
    coefficients = [1] + [0] * (_LENGTH - 1)
    x = [0, 1] + [0] * (_LENGTH - 2)
    for bit in f"{_WARM_UP_STEPS:b}":
        coefficients = _multiply(coefficients, coefficients)
        if bit == "1":
            coefficients = _multiply(coefficients, x)
    # The numbers in the order in which they are made: 607 that the seed 1 puts into the state, and the next 607.
    seeded = _seed_words(1, shift=10)
    made = [seeded[(_FEED - 1 - k) % _LENGTH] for k in range(-_LENGTH, 0)]
    for n in range(_LENGTH, 2 * _LENGTH):
        made.append(made[n - _LENGTH] + made[n - _TAP] & _MASK)
    table = [0] * _LENGTH
    for k in range(_LENGTH):
        value = sum(factor * number for factor, number in zip(coefficients, made[k:], strict=False)) & _MASK
        table[(_FEED - 1 - (_WARM_UP_STEPS - _LENGTH + k)) % _LENGTH] = value
    return tuple(table)


def _multiply(left: list[int], right: list[int]) -> list[int]:
    """The product of two polynomials modulo x^607 = x^334 + 1 and, in each coefficient, modulo 2^63.

    Each polynomial is packed into one large integer, so that Python's own multiplication does all products at once.
    """
    packed = _pack(left) * _pack(right)
    raw = packed.to_bytes(2 * _LENGTH * _PACKED_BYTES, "little")
    product = [
        int.from_bytes(raw[start : start + _PACKED_BYTES], "little") for start in range(0, len(raw), _PACKED_BYTES)
    ]
    for power in range(2 * _LENGTH - 1, _LENGTH - 1, -1):
        product[power - _LENGTH] += product[power]
        product[power - _TAP] += product[power]
    return [coefficient & _MASK for coefficient in product[:_LENGTH]]


def _pack(polynomial: list[int]) -> int:
    return int.from_bytes(b"".join(c.to_bytes(_PACKED_BYTES, "little") for c in polynomial), "little")

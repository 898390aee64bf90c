"""Calico's rule for a node's first block."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import IPv4Network
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.model.blocks import _start_table, blocks_for

pytestmark = pytest.mark.real_program("python")

POOL = IPv4Network("172.16.0.0/16")


@pytest.mark.parametrize(
    ("node", "block"),
    [
        ("controlplane", "172.16.49.64/26"),
        ("worker1", "172.16.235.128/26"),
        ("worker2", "172.16.189.64/26"),
        ("worker", "172.16.171.64/26"),
        ("m-k8s", "172.16.171.64/26"),
    ],
)
def test_known_nodes(node: str, block: str) -> None:
    assert next(blocks_for(node, POOL, 26)) == IPv4Network(block)


def test_table_is_that_of_go() -> None:
    assert _start_table()[0] == -4181792142133755926 & (2**63 - 1)  # rngCooked[0] in Go's math/rand/rng.go
    assert len(_start_table()) == 607


@given(st.text(min_size=1, max_size=63), st.integers(0, 10), st.integers(8, 20))
def test_every_block_once_in_turn(node: str, bits: int, length: int) -> None:
    pool = IPv4Network((10 << 24, length))
    blocks = list(islice(blocks_for(node, pool, length + bits), 2000))
    assert len(set(blocks)) == 2**bits
    assert all(block.subnet_of(pool) for block in blocks)
    steps = {(int(b.network_address) - int(a.network_address)) % pool.num_addresses for a, b in pairwise(blocks)}
    assert steps <= {blocks[0].num_addresses}


def test_block_must_fit() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        next(blocks_for("worker1", POOL, 15))


def test_import_computes_nothing() -> None:
    code = "import labctl.model.blocks as b; assert b._start_table.cache_info().currsize == 0"
    subprocess.run([sys.executable, "-c", code], check=True)

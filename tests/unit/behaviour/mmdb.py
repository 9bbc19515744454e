"""Writes databases in MaxMind's format (version 2.0 of its specification), large enough for tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
TEXT, DOUBLE, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 3, 5, 6, 7, 9, 11
# Bits of an address of version 6 before one of version 4 begins.
BEFORE_V4 = 96
SEPARATOR = 16
# Readers insist on the types of what a file says of itself; any other integer has 32 bits.
WIDTHS = {
    "record_size": UINT16,
    "ip_version": UINT16,
    "binary_format_major_version": UINT16,
    "binary_format_minor_version": UINT16,
    "build_epoch": UINT64,
}


def mmdb(kind: str, built: datetime, records: Mapping[str, dict[str, Any]]) -> bytes:
    """The file that knows of each network, as `81.2.69.0/24`, its record; networks must not overlap."""
    # A node is [left, right]: a node, the data of a network, or None.
    nodes: list[list[Any]] = [[None, None]]
    data = bytearray()
    for network, record in records.items():
        bits = _bits(network)
        at = 0
        for bit in bits[:-1]:
            if nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][bits[-1]] = (len(data),)
        data += _encoded(record)
    tree = bytearray()
    for node in nodes:
        for record in node:
            tree += _pointer(record, len(nodes)).to_bytes(4, "big")
    metadata = {
        "node_count": len(nodes),
        "record_size": 32,
        "ip_version": 6,
        "database_type": kind,
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": int(built.timestamp()),
        "description": {"en": "a few networks, for tests"},
    }
    return bytes(tree + b"\0" * SEPARATOR + data + MARKER + _encoded(metadata))


def _bits(network: str) -> list[int]:
    found = ip_network(network)
    width = found.max_prefixlen
    address = int(found.network_address)
    own = [address >> (width - 1 - place) & 1 for place in range(found.prefixlen)]
    return own if found.version == 6 else [0] * BEFORE_V4 + own


def _pointer(record: Any, nodes: int) -> int:
    if record is None:
        return nodes
    return int(record[0]) + nodes + SEPARATOR if isinstance(record, tuple) else int(record)


def _encoded(value: Any, width: int = UINT32) -> bytes:
    match value:
        case str():
            text = value.encode()
            return _head(TEXT, len(text)) + text
        case float():
            return _head(DOUBLE, 8) + struct.pack(">d", value)
        case int():
            size = (value.bit_length() + 7) // 8
            return _head(width, size) + value.to_bytes(size, "big")
        case dict():
            pairs = (
                _encoded(name) + _encoded(one, WIDTHS.get(name, UINT32))
                for name, one in value.items()
            )
            return _head(MAP, len(value)) + b"".join(pairs)
        case list():
            return _head(ARRAY, len(value)) + b"".join(map(_encoded, value))
    raise TypeError(f"{value!r} has no place in a database")


def _head(kind: int, size: int) -> bytes:
    """The byte that tells type and size, one more for types beyond 7, and one more for sizes from 29 on."""
    more = b"" if size < 29 else bytes([size - 29])
    low = min(size, 29)
    if kind <= 7:
        return bytes([kind << 5 | low]) + more
    return bytes([low, kind - 7]) + more

"""Whether a request may hold deep attribute values, judged from its bytes at memory speed.

Walking every message of a large request costs more than parsing it. But a deep value leaves a mark: an
AnyValue holds one field, so an array or map inside a value reads

    tag LENGTH kind LENGTH'      kind = 0x2a (array) or 0x32 (map)

where LENGTH = LENGTH' + the bytes of `kind LENGTH'`, and `tag` is 0x0a (member of an array), 0x12 (value of a
map entry or attribute) or 0x2a (log body), the latter two with a map only: whether its members are deep is
then looked at properly. What else matches by accident, once in hundreds of requests, only costs that look.
"""

from __future__ import annotations

import numpy as np

ARRAY, MAP = 0x2A, 0x32
ARRAY_MEMBER, ENTRY_VALUE, LOG_BODY = 0x0A, 0x12, 0x2A
LONGEST = 4  # bytes of a length below 256 MiB
MEMBER = b"\x0a"  # the tag of what arrays and maps hold
MORE = 0x80
BLOCK = 128 * 1024  # what stays in the processor's cache
MANY = 10_000  # candidates that are not worth a closer look


def may_be_deep(body: bytes) -> bool:
    """Return False only if no canonically encoded value of this request is deep.

    1. Find every byte that could be a kind; the rest looks at these few only.
    2. For each width of LENGTH, keep those whose tag fits and whose LENGTH ends just before them.
    3. Decode both lengths of what is left.
    """
    data = np.frombuffer(body, np.uint8)
    kinds = np.concatenate([_kinds(data, start) for start in range(0, len(data), BLOCK)] or [data[:0]])
    kinds = kinds[kinds > 1]
    kinds = kinds[data[kinds - 1] < MORE]
    for width in range(1, LONGEST + 1):
        kinds = kinds[kinds > width]
        tags = data[kinds - 1 - width]
        fits = (tags == ARRAY_MEMBER) | (((tags == ENTRY_VALUE) | (tags == LOG_BODY)) & (data[kinds] == MAP))
        if np.count_nonzero(fits) > MANY:
            return True
        for kind in kinds[fits].tolist():
            if _same_end(body, kind - width, kind):
                return True
        kinds = kinds[data[kinds - 1 - width] >= MORE]  # a longer LENGTH has another byte here
    return False


def _kinds(data: np.ndarray, start: int) -> np.ndarray:
    """Return where one block holds bytes that could be a kind."""
    block = data[start : start + BLOCK]
    return np.flatnonzero((block == ARRAY) | (block == MAP)) + start


def _same_end(body: bytes, outer: int, kind: int) -> bool:
    """Whether the lengths at `outer` and behind `kind` end at the same byte, around members or nothing."""
    length, start = _length(body, outer)
    inner_length, inner_start = _length(body, kind + 1)
    if start != kind or start + length != inner_start + inner_length:
        return False
    return inner_length == 0 or body[inner_start : inner_start + 1] == MEMBER


def _length(body: bytes, at: int) -> tuple[int, int]:
    """Decode a varint; return it and the position behind it."""
    value = shift = 0
    while at < len(body) and shift < 7 * (LONGEST + 1):
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < MORE:
            break
        shift += 7
    return value, at

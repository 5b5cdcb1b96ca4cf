"""Importing much at once: it makes many objects and hardly any garbage, so none is searched for meanwhile."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def much() -> Iterator[None]:
    """Import within the block. What is imported stays, and no later search looks at it."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()

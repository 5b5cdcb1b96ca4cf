"""To be killed: ``python -m tests.collector.loader_process STORE SPOOL`` says ``ready`` and loads."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from throughline.collector.loader import Loader
from throughline.collector.store import Store


def main(url: str, spool: str) -> None:
    """Load until killed."""
    store = Store.open(url)
    store.migrate()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    Loader(store, Path(spool)).run(threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Serve seeded pages and API over real HTTP, in a process of their own: Streamlit allows one application
per process.

python -m tests.dashboards.serving FOLDER [--tokens]

FOLDER holds an empty, migrated store; the port is printed once it listens.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from tests.dashboards.definition import definition
from tests.dashboards.seed import seed
from tests.dashboards.seed_firm import NOW
from tests.stores import Stores
from throughline.collector.auth import Access
from throughline.collector.store import Store
from throughline.dashboards.app import create_app
from throughline.dashboards.deps import Deps


@contextlib.contextmanager
def serving(stores: Stores, folder: Path, *, tokens: bool = False) -> Iterator[str]:
    """Yield the address of a running, seeded application; with `tokens` it asks for one."""
    stores.directory(folder / "store")
    command = [
        sys.executable,
        "-m",
        "tests.dashboards.serving",
        str(folder),
        *(["--tokens"] if tokens else []),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port, "the application did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def main(folder: Path, *, tokens: bool) -> None:
    """Seed a store and serve it until terminated."""
    from tests.dashboards.conftest import ACCESS

    store = Store.open(folder / "store")
    seed(store)
    processes = (definition(),)
    access = ACCESS if tokens else Access()
    deps = Deps(
        store=store,
        access=lambda: access,
        spool=folder,
        processes=lambda: processes,
        clock=lambda: NOW,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(deps), log_level="warning", lifespan="on")
        server = _Announced(config, listener.getsockname()[1])
        server.run(sockets=[listener])
    store.close()


class _Announced(uvicorn.Server):
    """A server that prints its port once it listens."""

    def __init__(self, config: uvicorn.Config, port: int) -> None:
        super().__init__(config)
        self._port = port

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then say so."""
        await super().startup(sockets)
        sys.stdout.write(f"{self._port}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), tokens="--tokens" in sys.argv)

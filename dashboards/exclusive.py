"""Things that only one process may hold: a port, a data folder."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FolderInUse(ConfigurationError):
    """The data folder is used by another process; stop that one or choose another folder."""


@contextlib.contextmanager
def listening(host: str, port: int, option: str) -> Iterator[socket.socket]:
    """Bind a port before anything slow happens.

    Raises:
        ConfigurationError: the port is taken or not ours to use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} on {host} cannot be used ({error.strerror}): "
                f"stop what listens there or choose another with {option}."
            ) from error
        yield listener


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the one engine of a data folder; the lock ends with this process, however it ends.

    Raises:
        FolderInUse: another process holds it.
        ConfigurationError: the folder cannot be written.
    """
    lock = FileLock(folder / "engine.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FolderInUse(
            f"The data folder {folder} is used by another process: "
            "stop that one or choose another with --data."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder} cannot be written ({error.strerror}): "
            "correct its permissions or choose another with --data."
        ) from error
    try:
        yield
    finally:
        lock.release()

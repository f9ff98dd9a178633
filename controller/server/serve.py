"""Where to listen and where the data is in, a tuning server that runs until it is told to end out."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import ipaddress
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from controller.connections import BACKLOG, ConnectionLimits, bounded
from controller.server.app import Authentication, Idleness, make_app
from controller.server.data_folder import DataFolder
from controller.server.engines.bases import Bases
from controller.server.engines.hf.found import BaseEntry
from controller.server.engines.opening import open_engines
from controller.server.log import Log
from controller.server.room import StoreUnusable
from controller.server.runners.process import ONE_THREAD, ProcessRunner
from controller.server.store import Store, StoreUnreadable
from controller.server.supervisor import Supervisor
from controller.server.tuning import Tuning

_LOCK_WAIT: Final = 10.0  # seconds; trainers of a killed server are gone within one
_TICK: Final = 0.1
# A create carries up to 16 MB of rows, perhaps over a slow line; an answer takes its time, so a connection has no end.
_LIMITS: Final = ConnectionLimits(head=20.0, body=120.0, answer=60.0, idle=75)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How to serve.

    Port 0 is any free one. Without ``api_key_file`` (one key a line) any key is taken and only loopback may be bound.
    ``idle_exit`` is the number of seconds without a request and without an unfinished run after which it ends; None is
    never. ``runs`` is how many runs train at once, by default one for each core.
    ``bases`` are base models beside those in the folder ``fetched``, by default one in the data folder.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 0
    api_key_file: Path | None = None
    idle_exit: float | None = None
    runs: int | None = None
    bases: tuple[BaseEntry, ...] = ()
    fetched: Path | None = None


class CannotServe(Exception):
    """The options ask for what cannot or must not be done. ``hint`` is the next step for a person, one sentence."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def serve(options: ServeOptions) -> None:
    """Serves until SIGTERM, SIGINT or idleness. Raises `CannotServe`."""
    os.environ.update({name: os.environ.get(name, value) for name, value in ONE_THREAD.items()})
    try:
        keys = _keys(options.api_key_file)
        _check_address(options.host, has_keys=keys is not None)
        with _locked(options.data) as lock, contextlib.closing(_bind(options)) as listener:
            _serve_on(listener, options, keys, lock)
    except StoreUnreadable as fault:
        raise CannotServe(str(fault), hint="Move the file away, or name another folder with --data.") from fault
    except StoreUnusable as fault:
        message = f"the data folder {options.data} cannot be used now: {fault}"
        raise CannotServe(message, hint="Make room there, or name another folder with --data.") from fault


def _serve_on(listener: socket.socket, options: ServeOptions, keys: Keys | None, lock: int) -> None:
    log, data, idleness = Log(sys.stderr), DataFolder(options.data.resolve()), Idleness()
    store, bases = Store(data.path), Bases(open_engines(options.fetched or data.path / "bases", options.bases))
    runner = ProcessRunner(lock, options.runs or os.cpu_count() or 1)
    supervisor = Supervisor(store, data, bases, runner, log)
    # Uvicorn's access log would show ?key=, so there is none; `Authentication` writes one.
    config = uvicorn.Config(
        Authentication(make_app(Tuning(store, data, bases, supervisor)), keys, idleness, log),
        http=bounded(_LIMITS),
        backlog=BACKLOG,
        access_log=False,
        log_config=None,
        timeout_keep_alive=_LIMITS.idle,
        timeout_graceful_shutdown=3,
        lifespan="off",
    )
    try:
        supervisor.begin()
        asyncio.run(_live(uvicorn.Server(config), listener, options, idleness, store))
    finally:
        supervisor.close()
        bases.close()
        store.close()


Keys = Callable[[], list[str]]


def _keys(file: Path | None) -> Keys | None:
    """What tells the keys of a file at each asking: a key that was replaced there is taken, the old one is not.

    None without a file. Raises `CannotServe` where the file holds none to begin with.
    """
    if file is None:
        return None
    _read_keys(file)

    def now() -> list[str]:
        try:
            return _read_keys(file)
        except CannotServe:
            return []  # nobody is let in until it can be read again

    return now


def _read_keys(file: Path) -> list[str]:
    try:
        keys = [line.strip() for line in file.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is no text"
        message = f"the API key file {file} cannot be read: {why}"
        raise CannotServe(message, hint="Give --api-key-file a file that can be read.") from fault
    if not keys:
        raise CannotServe(f"the API key file {file} holds no key", hint="Write one key a line.")
    return keys


def _check_address(host: str, *, has_keys: bool) -> None:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and not has_keys:
        message = f"without an API key file only loopback may be bound, not {host}"
        raise CannotServe(message, hint="Give the keys to be accepted with --api-key-file.")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """The data folder, made if need be, held by one server at a time.

    The trainers share the lock, so after a killed server this waits until its trainers have noticed and ended.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as fault:
        message = f"the data folder {folder} cannot be used: {fault.strerror}"
        raise CannotServe(message, hint="Name another folder with --data.") from fault
    try:
        deadline = time.monotonic() + _LOCK_WAIT
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = f"the data folder {folder} is in use by another server"
                    raise CannotServe(message, hint="Use that server, or name another folder with --data.") from None
                time.sleep(_TICK / 2)
        yield lock
    finally:
        os.close(lock)


def _bind(options: ServeOptions) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as unbound:
            listener = unbound.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            unbound.pop_all()
    except OSError as fault:
        message = f"{options.host} port {options.port} cannot be bound: {fault.strerror}"
        raise CannotServe(message, hint="Another program may be using it: choose another port.") from fault
    return listener


def _url(host: str, port: int) -> str:
    """Where a client on this machine reaches the server: a socket bound to all addresses answers on loopback too."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared with, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


async def _live(
    server: uvicorn.Server, listener: socket.socket, options: ServeOptions, idleness: Idleness, store: Store
) -> None:
    """One life of the server on the bound socket, from the first request to the last."""
    if threading.current_thread() is threading.main_thread():
        # Uvicorn ends in order on these, then raises them once more; the second time they are not to do anything.
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, lambda *_: None)
    host, port = listener.getsockname()[:2]
    watch = asyncio.create_task(_watch(server, _url(host, port), options, idleness, store))
    try:
        await server.serve(sockets=[listener])
    finally:
        watch.cancel()


def _is_training(store: Store) -> bool:
    try:
        return bool(store.unfinished())
    except StoreUnusable:
        return True  # as far as anybody knows


async def _watch(server: uvicorn.Server, url: str, options: ServeOptions, idleness: Idleness, store: Store) -> None:
    while not server.started:  # noqa: ASYNC110 -- uvicorn offers a flag, no event
        await asyncio.sleep(_TICK / 20)
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()
    idleness.reset()
    while options.idle_exit is not None and not server.should_exit:
        await asyncio.sleep(_TICK)
        if _is_training(store):
            idleness.reset()
        elif idleness.seconds() >= options.idle_exit:
            server.should_exit = True

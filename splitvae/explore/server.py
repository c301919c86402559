"""The server of the page: on this machine alone, unless another address is asked for, and without any request to others."""

from __future__ import annotations

import ipaddress
import socket
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import UserError, setting
from ..runs import group_runs_by_seed, open_run
from .session import Session

__all__ = ["LOOPBACK", "open_sessions", "serve"]

LOOPBACK = "127.0.0.1"
FIRST_PORT, PORTS = 7860, 100  # the first free one of which is taken where none is given
MAX_UPLOAD = "64mb"  # about as much as pictures.py reads
# The browser itself refuses whatever is not on this server, such as fonts, scripts and counters of visits.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'"


def open_sessions(paths: Sequence[Path]) -> dict[str, Session]:
    """Returns the runs in folders, by the names under which the page lists them.

    Arguments:
        paths: The folders; one of several seeds stands for all of its runs.

    Raises:
        UserError: For a folder that holds no run, and a run without a model.
    """
    folders = [folder for group in group_runs_by_seed(paths).values() for folder in group]
    names = [folder.resolve().name for folder in folders]
    unique = names if len(set(names)) == len(names) else [str(folder) for folder in folders]
    return {name: Session(open_run(folder)) for name, folder in zip(unique, folders, strict=True)}


def serve(
    paths: Sequence[Path],
    host: str = LOOPBACK,
    port: int | None = None,
    browser: bool = True,
    wait: Callable[[Any], None] | None = None,
) -> None:
    """Serves the page of runs until Ctrl-C.

    Arguments:
        paths: The folders of the runs.
        host: The address at which the page is served.
        port: The port; None takes the first free one from 7860 on.
        browser: Whether a browser is opened.
        wait: What is done with the `gradio.Blocks` while the page is served; None waits for Ctrl-C.

    Raises:
        UserError: If gradio is not installed, if the port is taken, or if a run cannot be opened.
    """
    if find_spec("gradio") is None:
        raise UserError(
            "`splitvae explore` needs gradio, which is not installed; in a clone of the repository type "
            "`pip install -c constraints.txt -e '.[explore]'`."
        )
    _find_port(host, port)  # refuses one that cannot be used before runs are opened
    sessions = open_sessions(paths)
    from .page import build_page, build_theme, read_style

    page = build_page(sessions)
    port = _find_port(host, port)  # others may have begun to serve meanwhile
    try:
        warnings.filterwarnings("ignore", module="gradio")  # of itself and of pandas, while it serves too
        page.launch(
            server_name=host,
            server_port=port,
            inbrowser=browser,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            footer_links=[],
            enable_monitoring=False,
            max_file_size=MAX_UPLOAD,
            theme=build_theme(),
            head=f"<style>{read_style()}</style>",  # as `css`, gradio would rewrite its selectors
            app_kwargs={"middleware": _middleware(), "docs_url": None, "redoc_url": None},
        )
        address = f"[{host}]" if ":" in host else host  # IPv6
        print(f"Explore {', '.join(sessions)} at http://{address}:{port} (end with Ctrl-C)", flush=True)
        if not _is_loopback(host):
            print(
                f"Warning: whoever reaches {host} on the network can use this page and upload files to it; "
                f"without {setting('host')} it is served to this machine alone.",
                file=sys.stderr,
                flush=True,
            )
        (wait or _wait_for_interrupt)(page)
    finally:
        page.close(verbose=False)


def _middleware() -> list[Any]:
    """Returns what adds the policy to every answer of the server."""
    from starlette.middleware import Middleware

    return [Middleware(_AddPolicy)]


class _AddPolicy:
    """An ASGI application that adds the header Content-Security-Policy to the answers of another."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, send_with_policy)


def _wait_for_interrupt(page: Any) -> None:
    """Returns when the person at the keyboard presses Ctrl-C."""
    try:
        while page.is_running:
            time.sleep(0.1)
    except KeyboardInterrupt:
        print("stopped.", flush=True)


def _is_loopback(host: str) -> bool:
    """Returns whether an address is reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def _find_port(host: str, port: int | None) -> int:
    """Returns the port that is asked for, or the first free one; raises UserError if it is taken or cannot be used."""
    if port is not None and not 1 <= port <= 65535:
        raise UserError(f"{setting('port', port)} is no port; choose a number from 1 to 65535, such as {FIRST_PORT}.")
    for number in range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else [port]:
        try:
            family = socket.getaddrinfo(host, number)[0][0]
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, number))
            return number
        except socket.gaierror:
            raise UserError(
                f"{setting('host', host)} is no address of this machine; leave it out, or give 0.0.0.0."
            ) from None
        except OSError as error:
            reason = error.strerror
            if port is not None:
                break
    raise UserError(
        f"the page cannot be served at {host}, port {port or 'any'}: {reason}; choose another "
        f"{setting('port')} or {setting('host')}."
    )

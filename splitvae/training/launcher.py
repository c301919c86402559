"""The processes of a training on one machine: the first one starts the others, and none outlives one that failed.

Fabric's own launcher kills the first process without a word when another one ends, and waits for none of them.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

import torch

from ..errors import setting
from ..utils.processes import STARTED_DEVICES

__all__ = ["leave_group_at_exit", "start_other_processes", "watch_first_process"]

POLL_SECONDS = 0.5
GRACE_SECONDS = 10.0  # in which a process ends by itself after another one has ended


def start_other_processes(devices: int) -> None:
    """Starts this program again, with the same words, for each further device of this machine.

    Arguments:
        devices: The number of processes, with this one.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0", "LOCAL_RANK": "0"}
    os.environ[STARTED_DEVICES] = str(devices)
    command = [sys.executable, *sys.orig_argv[1:]]
    others = [subprocess.Popen(command, env={**os.environ, "LOCAL_RANK": str(rank)}) for rank in range(1, devices)]
    atexit.register(_end, others)
    threading.Thread(target=_watch, args=(others,), daemon=True).start()


@cache
def watch_first_process() -> None:
    """Ends this process soon after the one that started it; on Windows, which tells nothing of that, does nothing."""
    first = os.getppid()

    def watch() -> None:
        while os.getppid() == first:
            time.sleep(POLL_SECONDS)
        time.sleep(GRACE_SECONDS)
        os._exit(1)

    if sys.platform != "win32":
        threading.Thread(target=watch, daemon=True).start()


@cache
def leave_group_at_exit() -> None:
    """Registers that the connections to other processes are closed in order before Python ends."""
    atexit.register(_leave_group)


def _leave_group() -> None:
    with suppress(RuntimeError):
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _watch(others: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ends this process with a message if another one fails and this one, which may wait for it, does not end."""
    while any(process.poll() is None for process in others):
        time.sleep(POLL_SECONDS)
        failed = [(rank, process.returncode) for rank, process in enumerate(others, 1) if process.poll()]
        if failed:
            time.sleep(GRACE_SECONDS)
            print(f"splitvae: {_describe(*failed[0])}", file=sys.stderr, flush=True)
            _end(others, 0.0)
            os._exit(1)


def _describe(rank: int, status: int) -> str:
    """Returns the message on a process that failed."""
    reason = f"with status {status}" if status > 0 else f"by {signal.Signals(-status).name}"
    return (
        f"process {rank} of this training ended {reason}, and the others cannot go on without it; the same command with "
        f"{setting('resume', True)} continues from the last checkpoint."
    )


def _end(others: Sequence[subprocess.Popen[bytes]], seconds: float = GRACE_SECONDS) -> None:
    """Waits until processes have ended, and kills those that have not after some time.

    Arguments:
        others: The processes.
        seconds: The time.
    """
    deadline = time.monotonic() + seconds
    for process in others:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    for process in others:
        if process.poll() is None:
            process.kill()

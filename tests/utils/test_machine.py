"""Tests of facts about this machine and process."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

import pytest
import torch

import splitvae
from splitvae.utils import machine
from splitvae.utils.machine import (
    describe_device,
    describe_versions,
    find_device,
    needs_most_cores,
    shorten_time_slices,
    versions,
)


def test_versions_are_those_that_run() -> None:
    assert versions() == {"splitvae": splitvae.__version__, "torch": torch.__version__}
    assert describe_versions().endswith(f"torch {torch.__version__}, Python {platform.python_version()}")


def test_a_run_on_the_processor_is_described_so_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "default_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert describe_device() == describe_device("gpu") == "a GPU"
    assert find_device("cpu").type == "cpu" and describe_device("cpu").startswith(f"{platform.machine()} CPU")


@pytest.mark.skipif(not sys.platform.startswith("linux") or platform.machine() != "x86_64", reason="numbers of Linux")
def test_time_slices_become_short_and_nothing_else_changes() -> None:
    policy, niceness = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
    shorten_time_slices()
    assert (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)) == (policy, niceness)
    attributes = machine._SchedulingAttributes()
    status = ctypes.CDLL(None).syscall(315, 0, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    version = tuple(int(number) for number in platform.release().split("-")[0].split(".")[:2])
    if status == 0 and policy == os.SCHED_OTHER and version >= (6, 12):
        assert attributes.runtime == 100_000


def test_a_process_needs_most_cores_if_another_like_it_finds_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
    for threads, needs in ((1, False), (2, False), (3, True), (4, True)):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert needs_most_cores() is needs

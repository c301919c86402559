"""How many devices and machines a training has, without starting any process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from splitvae.config import Hardware
from splitvae.errors import UserError
from splitvae.training import agreement, devices
from splitvae.training.agreement import Disagreement, check_agreement
from splitvae.training.devices import choose_devices
from splitvae.utils import machine
from splitvae.utils.processes import Launcher


def start(monkeypatch: pytest.MonkeyPatch, launcher: Launcher | None, cuda_devices: int = 0) -> None:
    """Makes a launcher and a number of CUDA devices be found."""
    monkeypatch.setattr(devices, "find_launcher", lambda: launcher)
    monkeypatch.setattr(machine, "default_device", lambda: torch.device("cuda" if cuda_devices else "cpu"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda_devices)


def test_auto_is_all_devices_of_this_machine_and_one_process_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for present, chosen in ((0, 1), (1, 1), (4, 4)):
        start(monkeypatch, None, present)
        assert choose_devices(Hardware(devices="auto")).devices == chosen
    assert choose_devices(Hardware(devices=3, accelerator="cpu")).devices == 3


@pytest.mark.parametrize("name", ["torchrun", "srun"])
def test_a_launcher_gives_the_numbers_that_were_not_typed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    start(monkeypatch, Launcher(name, 0, 0, 2, 4), 2)
    for hardware, typed in (
        (Hardware(), ()),
        (Hardware(devices="auto"), ("devices",)),
        (Hardware(devices="auto", nodes=4), ("devices", "nodes")),
        (Hardware(devices=2, nodes=4), ("devices", "nodes")),
    ):
        assert choose_devices(hardware, typed) == Hardware(devices=2, nodes=4)


# Unformatted: each case stays with its answer, where one string a line would part them.
@pytest.mark.parametrize(
    ("launcher", "hardware", "message"),
    [
        (None, Hardware(devices=3), "this machine has 1 device of that kind; type devices=1, or accelerator='cpu'."),
        (None, Hardware(devices=2, nodes=4), "needs a launcher .* `torchrun --nnodes 4 --nproc-per-node 2 .* `srun "),
        (Launcher("torchrun", 0, 0, 2, 1), Hardware(devices=3), "torchrun started 2 processes on 1 machine, and the "
        "settings say devices=3 and nodes=1; type devices=2 and nodes=1, or torchrun --nproc-per-node 3 --nnodes 1."),
        (Launcher("srun", 0, 0, 2, 2), Hardware(devices=2, nodes=3), "type devices=2 and nodes=2, or srun "
        "--ntasks-per-node=2 --nodes=3."),
        (Launcher("splitvae", 0, 0, 2, 1), Hardware(devices=1), "splitvae started 2 processes .* type devices=2"),
        (Launcher("srun", 0, 0, 2, 1), Hardware(devices=2), "type --gpus-per-node, not --gpus-per-task"),
    ],
)  # fmt: skip
def test_contradictions_are_answered_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch, launcher: Launcher | None, hardware: Hardware, message: str
) -> None:
    start(monkeypatch, launcher, 1)
    with pytest.raises(UserError, match=message):
        choose_devices(hardware, ("devices", "nodes"))


def test_variables_of_several_processes_without_a_launcher_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "4"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(UserError, match=rf"{name}={value}.* type `unset .*{name}"):
                choose_devices(Hardware())


@pytest.mark.parametrize("value", ["many", 0])
def test_a_number_of_devices_is_positive_or_auto(value: str | int) -> None:
    with pytest.raises(UserError, match=re.escape(f"devices={value!r} must be")):
        Hardware(devices=value)


def test_machines_that_differ_are_told_apart_before_the_first_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def other_process(index: int, value: int) -> None:
        """Makes this process one of two, whose other one has another number at a place."""

        def gather(own: torch.Tensor) -> torch.Tensor:
            other = own.clone()
            other[index] += value
            return torch.stack([own, other])

        monkeypatch.setattr(agreement, "all_gather", gather)

    def check() -> None:
        check_agreement(tmp_path, torch.device("cpu"), training_images="3f5a", settings={"width": 4}, checkpoint=8)

    check()  # of one process
    monkeypatch.setattr(agreement, "count_processes", lambda: 2)
    monkeypatch.setattr(agreement, "barrier", lambda device: None)
    (tmp_path / "config.json").touch()
    other_process(0, 0)
    check()
    other_process(0, -1)
    with pytest.raises(Disagreement, match="is not the same folder on all machines"):
        check()
    for place, what in ((1, "training images"), (3, "checkpoint")):
        other_process(place, 1)
        with pytest.raises(Disagreement, match=f"the processes differ in {what}; "):
            check()

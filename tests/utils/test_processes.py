"""Who started several processes, which of them this one is, and which of them prints a message."""

from __future__ import annotations

import pytest

from splitvae.errors import UserError
from splitvae.utils import processes
from splitvae.utils.processes import RANKS, Launcher, find_launcher, is_main_process, print_error

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "2"}
SRUN = {
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "8",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2(x4)",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without variables of several processes."""
    for name in (*RANKS, *TORCHRUN, *SRUN, "SLURM_JOB_NAME", "SLURM_TASKS_PER_NODE", "SPLITVAE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def set_all(environment: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        environment.setenv(name, value)


def test_each_launcher_is_found_by_its_variables(environment: pytest.MonkeyPatch) -> None:
    assert find_launcher() is None
    for values, launcher in (
        (TORCHRUN, Launcher("torchrun", 5, 1, 2, 4)),
        (SRUN, Launcher("srun", 5, 1, 2, 4)),
        ({"SPLITVAE_DEVICES": "3", "LOCAL_RANK": "1"}, Launcher("splitvae", 1, 1, 3, 1)),
    ):
        with environment.context() as patch:
            set_all(patch, values)
            assert find_launcher() == launcher
            assert not is_main_process()
    assert str(Launcher("srun", 0, 0, 2, 4)) == "srun started 2 processes on 4 machines each"


def test_the_script_of_a_slurm_job_and_a_shell_in_it_are_no_processes_of_several(environment: pytest.MonkeyPatch) -> None:
    set_all(environment, SRUN | {"SLURM_PROCID": "0"})
    for name, value in (("SLURM_JOB_NAME", "bash"), ("SLURM_NTASKS", "1")):
        with environment.context() as patch:
            patch.setenv(name, value)
            assert find_launcher() is None
    environment.delenv("SLURM_STEP_ID")
    assert find_launcher() is None


def test_machines_with_different_numbers_of_processes_are_refused(environment: pytest.MonkeyPatch) -> None:
    set_all(environment, SRUN | {"SLURM_STEP_TASKS_PER_NODE": "5,3"})
    with pytest.raises(UserError, match=r"5,3 on the machines; type --ntasks-per-node"):
        find_launcher()
    set_all(environment, TORCHRUN | {"LOCAL_WORLD_SIZE": "3"})
    with pytest.raises(UserError, match=r"started 3 of 8 processes on this machine; type the same --nproc-per-node"):
        find_launcher()
    environment.delenv("WORLD_SIZE")
    with pytest.raises(UserError, match=r"WORLD_SIZE of the environment is missing"):
        find_launcher()


def test_only_rank_zero_of_node_zero_is_the_main_process(environment: pytest.MonkeyPatch) -> None:
    assert is_main_process()
    for name in RANKS:
        with environment.context() as patch:
            patch.setenv(name, "1")
            assert not is_main_process()


@pytest.mark.parametrize(
    ("ranks", "own", "common"),
    [({}, 1, 1), ({"LOCAL_RANK": "1"}, 0, 0), ({"LOCAL_RANK": "0", "RANK": "2"}, 1, 0), (SRUN, 0, 0)],
)
def test_a_message_is_printed_once_on_each_machine_or_once_for_all(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ranks: dict[str, str], own: int, common: int
) -> None:
    waits: list[float] = []
    environment.setattr(processes.time, "sleep", waits.append)
    set_all(environment, ranks)
    print_error("no such folder.")
    assert capsys.readouterr().err.count("no such folder.") == own
    print_error("stopped.", raised_by_all=True)
    assert capsys.readouterr().err.count("splitvae: stopped.") == common
    # A process that is silent lets the one that prints end first, since torchrun ends the others when the first one ends.
    assert len(waits) == 2 - own - common

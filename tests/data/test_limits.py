"""Cores and memory within affinity, containers and batch jobs.

From the trackers: ray-project/ray issue 34846 (cores that the process may not use), rstudio/rstudio issue 13690 and
ClickHouse/ClickHouse pull request 59435 (limits of the groups around), ray-project/ray issue 59796 (the page cache is
taken for use).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from superconv_tune.data import limits

GIB = 2**30


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for control groups; the process has 64 cores, and is in no group yet."""
    monkeypatch.setattr(limits, "CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(limits, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    return tmp_path


def in_groups(folder: Path, own: str, **files: str) -> None:
    """Write the process's own groups and the files of groups: ``a__cpu_max`` is ``a/cpu.max``."""
    (folder / "own").write_text(own, encoding="utf-8")
    for name, text in files.items():
        *places, file = name.split("__")
        place = folder / "fs" / Path(*places)
        place.mkdir(parents=True, exist_ok=True)
        (place / file.replace("_", ".", 1)).write_text(f"{text}\n", encoding="utf-8")


def test_without_groups_it_is_what_the_process_may_run_on(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.usable_cpus() == 64
    assert (limits.memory_limit(), limits.memory_left()) == (None, None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert limits.usable_cpus() == 1


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 64), ("400000 100000", 4), ("150000 100000", 1), ("5000 100000", 1)]
)
def test_a_quota_counts_in_whole_cores(groups: Path, quota: str, cores: int) -> None:
    in_groups(groups, "0::/\n", cpu_max=quota)
    assert limits.usable_cpus() == cores


def test_the_tightest_group_around_the_process_counts(groups: Path) -> None:
    """As under systemd, where the limit is that of a slice, and in a container that sees the paths of its host."""
    in_groups(
        groups,
        "0::/slurm/job_7/step_0\n",
        slurm__cpu_max="max 100000",
        slurm__job_7__cpu_max="800000 100000",
        slurm__job_7__step_0__cpu_max="max 100000",
        slurm__job_7__memory_max=str(4 * GIB),
        slurm__job_7__memory_current=str(3 * GIB),
        slurm__memory_max=str(64 * GIB),
        slurm__memory_current=str(5 * GIB),
    )
    assert limits.usable_cpus() == 8
    assert (limits.memory_limit(), limits.memory_left()) == (4 * GIB, GIB)
    in_groups(groups, "0::/of/the/host\n", cpu_max="200000 100000")
    assert limits.usable_cpus() == 2


def test_groups_of_version_1(groups: Path) -> None:
    (groups / "own").write_text("12:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n1:name=systemd:/\n", encoding="utf-8")
    for controller, file, text in (
        ("cpu,cpuacct", "cpu.cfs_quota_us", "300000"),
        ("cpu,cpuacct", "cpu.cfs_period_us", "100000"),
        ("memory", "memory.limit_in_bytes", str(GIB)),
        ("memory", "memory.usage_in_bytes", str(GIB // 4)),
    ):
        place = groups / "fs" / controller / "docker" / "a"
        place.mkdir(parents=True, exist_ok=True)
        (place / file).write_text(text, encoding="utf-8")
    assert limits.usable_cpus() == 3
    assert (limits.memory_limit(), limits.memory_left()) == (GIB, 3 * GIB // 4)


def test_version_1_says_no_limit_in_numbers(groups: Path) -> None:
    (groups / "own").write_text("12:memory,cpu:/\n", encoding="utf-8")
    place = groups / "fs" / "memory"
    place.mkdir(parents=True)
    (place / "memory.limit_in_bytes").write_text("9223372036854771712", encoding="utf-8")
    (place / "cpu.cfs_quota_us").write_text("-1", encoding="utf-8")
    assert (limits.usable_cpus(), limits.memory_limit(), limits.memory_left()) == (64, None, None)


def test_files_that_were_read_do_not_count_as_use(groups: Path) -> None:
    in_groups(groups, "0::/\n", memory_max=str(4 * GIB), memory_current=str(4 * GIB))
    assert limits.memory_left() == 0
    (groups / "fs" / "memory.stat").write_text(f"anon 1\ninactive_file {3 * GIB}\n", encoding="utf-8")
    assert limits.memory_left() == 3 * GIB

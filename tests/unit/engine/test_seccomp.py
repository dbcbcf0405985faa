"""The filter of system calls: what is on it, and what must never be."""

from __future__ import annotations

import json
import socket

import pytest

from practicum.engine import seccomp

PROFILE = json.loads(seccomp.profile())


def rules_for(name: str) -> list[dict[str, object]]:
    return [rule for rule in PROFILE["syscalls"] if name in rule["names"]]


def test_what_is_not_named_is_refused() -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert len(seccomp.CALLS) == len(set(seccomp.CALLS)) > 250


BEYOND = """
mount umount2 pivot_root move_mount open_tree fsopen fsmount setns unshare chroot ptrace process_vm_readv
process_vm_writev pidfd_getfd kcmp bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register
add_key keyctl request_key syslog init_module finit_module delete_module kexec_load kexec_file_load reboot swapon
swapoff settimeofday clock_settime clock_adjtime adjtimex stime acct quotactl nfsservctl open_by_handle_at
name_to_handle_at fanotify_init iopl ioperm modify_ldt lookup_dcookie vhangup sethostname setdomainname
"""


@pytest.mark.parametrize("name", BEYOND.split())
def test_what_reaches_beyond_the_container_is_not_named(name: str) -> None:
    assert rules_for(name) == []


BLUETOOTH, CAN, ALG, VSOCK, PACKET = 31, 29, 38, 40, 17


@pytest.mark.parametrize("family", [BLUETOOTH, CAN, ALG, VSOCK, PACKET])
def test_only_four_kinds_of_socket_are_made(family: int) -> None:
    rules = rules_for("socket")

    allowed = {rule["args"][0]["value"] for rule in rules}  # type: ignore[index]
    assert allowed == {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
    assert family not in allowed
    assert all(rule["args"][0]["op"] == "SCMP_CMP_EQ" for rule in rules)  # type: ignore[index]


def test_no_new_namespace_comes_from_clone_and_clone3_is_said_not_to_exist() -> None:
    (clone,), (clone3,) = rules_for("clone"), rules_for("clone3")

    assert clone["args"] == [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]
    assert (clone3["action"], clone3["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)

"""What a claim means to the engine."""

from __future__ import annotations

from typing import Any

import pytest

from practicum_hub import claim as claims
from practicum_hub.claim import Claim

UUID = "GPU-5d3c0b1a-0000-4000-8000-000000000001"
CPU_SLOT = {"kind": "cpu", "uuid": None, "label": "CPU 1"}


def test_a_gpu_is_asked_for_by_uuid_and_never_by_count(answer: dict[str, Any]) -> None:
    (request,) = claims.host_config(Claim.from_json(answer))["device_requests"]
    assert request["DeviceIDs"] == [UUID]
    assert request["Driver"] == "nvidia"
    assert request["Capabilities"] == [["gpu", "compute", "utility"]]
    assert not request["Count"]


def test_a_cpu_slot_sees_no_gpu_at_all(answer: dict[str, Any]) -> None:
    claim = Claim.from_json(answer | {"slot": CPU_SLOT})
    assert "device_requests" not in claims.host_config(claim)
    assert claims.environment(claim)["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_a_claim_cannot_widen_the_visible_gpus_by_environment(answer: dict[str, Any]) -> None:
    assert answer["environment"]["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert claims.environment(Claim.from_json(answer))["NVIDIA_VISIBLE_DEVICES"] == UUID


def test_the_container_has_no_capabilities_and_a_limit_in_each_dimension(answer: dict[str, Any]) -> None:
    config = claims.host_config(Claim.from_json(answer))
    assert config["cap_drop"] == ["ALL"]
    assert config["security_opt"] == ["no-new-privileges"]
    assert config["init"] is True
    assert config["pids_limit"] == 512
    assert config["cpu_shares"] == 64
    assert config["shm_size"] == 1 << 30
    assert config["memswap_limit"] == 4 << 30
    assert not {"privileged", "cap_add", "devices", "pid_mode", "runtime"} & set(config)


def test_the_home_volume_is_labelled_only_with_what_outlives_the_session(answer: dict[str, Any]) -> None:
    home = claims.mounts(Claim.from_json(answer))[0]
    assert (home["type"], home["source"], home["target"]) == ("volume", "practicum-home-ines", "/home/jovyan")
    assert set(home["labels"]) == {"org.practicum.managed", "org.practicum.instance", "org.practicum.kind"}


def test_data_and_project_are_read_only(answer: dict[str, Any]) -> None:
    binds = {m["target"]: m for m in claims.mounts(Claim.from_json(answer)) if m["type"] == "bind"}
    assert {target: bind["read_only"] for target, bind in binds.items()} == {"/data": True, "/opt/project": True}


def test_the_sites_own_project_mount_is_not_doubled(answer: dict[str, Any]) -> None:
    mounts = [*answer["mounts"], {"source": "/srv/other", "target": "/opt/project"}]
    targets = [m["target"] for m in claims.mounts(Claim.from_json(answer | {"mounts": mounts}))]
    assert targets.count("/opt/project") == 1


MALFORMED = [
    ({"lease": {}}, "token"),
    ({"limits": {"cpus": 1}}, "memory_bytes"),
    ({"slot": None}, "NoneType"),
    ({"environment": []}, "items"),
    ({"slot": {"kind": "gpu", "uuid": None}}, "UUID"),
    ({"slot": {"kind": "cpu", "uuid": UUID}}, "UUID"),
    ({"slot": {"kind": "gpu", "uuid": "all"}}, "UUID"),
]


@pytest.mark.parametrize(("change", "told"), MALFORMED)
def test_a_claim_that_is_not_the_contracts_is_refused(
    answer: dict[str, Any], change: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        Claim.from_json(answer | change)


@pytest.mark.parametrize("answer", [None, [], "no"])
def test_an_answer_that_is_no_claim_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError, match="lacks"):
        Claim.from_json(answer)


def test_on_another_server_copies_are_mounted_in_place_of_the_sites_folders(answer: dict[str, Any]) -> None:
    copied = [{**mount, "volume": f"copy-of-{mount['target'][1:]}"} for mount in answer["mounts"]]
    copied.append({"source": "/srv/project", "target": "/opt/project", "volume": "copy-of-project"})
    mounts = claims.mounts(Claim.from_json(answer | {"mounts": copied}), is_elsewhere=True)
    assert {mount["type"] for mount in mounts} == {"volume"}
    assert all(mount["read_only"] for mount in mounts[1:])
    with pytest.raises(ValueError, match="nothing was copied"):
        claims.mounts(Claim.from_json(answer), is_elsewhere=True)


def test_a_driver_that_all_servers_share_is_told_which_volume_it_is(answer: dict[str, Any]) -> None:
    shared = {"volume_driver": "local", "volume_options": {"type": "nfs", "device": ":/srv/{volume}"}}
    home = claims.mounts(Claim.from_json(answer | shared))[0]
    assert dict(home["driver_config"]) == {
        "Name": "local",
        "Options": {"type": "nfs", "device": ":/srv/practicum-home-ines"},
    }

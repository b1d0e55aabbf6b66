"""Volumes as directories, and a container's mounts of them."""

import base64
import os
from pathlib import Path

import pytest

from podwalk.kubelet import env, storage, volumes
from podwalk.kubelet.volumes import File, MountError, PodVolumes

CONFIG = {"kind": "ConfigMap", "metadata": {}, "data": {"a.conf": "A", "b.conf": "B"}}
SECRET = {"kind": "Secret", "metadata": {}, "data": {"pw": base64.b64encode(b"\xff\x00").decode()}}
SOURCES = {("ConfigMap", "cm"): CONFIG, ("Secret", "s"): SECRET, ("ConfigMap", "gone"): None}


async def token(audience, seconds):
    return f"token for {audience or 'api'} {seconds}"


def pod(*listed, **spec):
    metadata = {"name": "p", "namespace": "shop", "uid": "u", "labels": {"a": "1"}}
    return {"metadata": metadata, "spec": {"volumes": list(listed), "containers": [], **spec}}


async def files(volume):
    found = await volumes.payload(volume, pod(), SOURCES, token, {"cpu": "2"})
    return {name: file.data for name, file in found.items()}


async def test_config_maps_and_secrets():
    assert await files({"configMap": {"name": "cm"}}) == {"a.conf": b"A", "b.conf": b"B"}
    assert await files({"configMap": {"name": "cm", "items": [{"key": "a.conf", "path": "x/y"}]}}) == {"x/y": b"A"}
    assert await files({"secret": {"secretName": "s"}}) == {"pw": b"\xff\x00"}
    assert await files({"configMap": {"name": "gone", "optional": True}}) == {}


async def test_projected_sources_are_merged():
    sources = [
        {"configMap": {"name": "cm", "items": [{"key": "a.conf", "path": "a"}]}},
        {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    assert await files({"projected": {"sources": sources}}) == {
        "a": b"A",
        "token": b"token for vault 600",
        "labels": b'a="1"',
    }


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"secret": {"secretName": "no"}}, 'secret "no" not found'),
        (
            {"configMap": {"name": "cm", "items": [{"key": "z", "path": "z"}]}},
            "configmap references non-existent config key: z",
        ),
        (
            {"secret": {"secretName": "s", "items": [{"key": "z", "path": "z"}]}},
            "references non-existent secret key: z",
        ),
    ],
)
async def test_what_is_missing_is_named(volume, message):
    with pytest.raises(MountError) as caught:
        await files(volume)
    assert str(caught.value) == message


def test_a_volume_changes_all_at_once(tmp_path):
    directory = tmp_path / "v"
    assert volumes.write(directory, {"a": File(b"1"), "d/b": File(b"2", 0o400)})
    assert (directory / "a").read_bytes() == b"1"
    assert (directory / "d" / "b").stat().st_mode & 0o777 == 0o400
    assert not volumes.write(directory, {"a": File(b"1"), "d/b": File(b"2", 0o400)})
    first = os.readlink(directory / "..data")
    assert volumes.write(directory, {"a": File(b"changed")})
    assert (directory / "a").read_bytes() == b"changed"
    assert os.readlink(directory / "..data") != first
    assert sorted(p.name for p in directory.iterdir() if not p.name.startswith("..2")) == ["..data", "a"]
    assert not (directory / first).exists()


def test_a_path_may_not_leave_its_volume(tmp_path):
    with pytest.raises(MountError):
        volumes.write(tmp_path / "v", {"../x": File(b"")})


def test_credentials_are_mounted_unless_told_otherwise():
    assert volumes.service_account_volume(pod())["projected"]["sources"]
    assert volumes.service_account_volume(pod(automountServiceAccountToken=False)) is None
    mounted = {"name": "c", "volumeMounts": [{"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}
    assert volumes.service_account_volume(pod(containers=[mounted])) is None


async def test_mounts_of_a_container(tmp_path):
    made = pod({"name": "scratch", "emptyDir": {}}, {"name": "cfg", "configMap": {"name": "cm"}})
    made["spec"]["automountServiceAccountToken"] = False
    held = PodVolumes(tmp_path, made)
    for volume in held.volumes:
        await held.set_up(volume, made, SOURCES, token, {})
    container = {
        "name": "c",
        "volumeMounts": [
            {"name": "scratch", "mountPath": "/data", "subPathExpr": "logs/$(NAME)"},
            {"name": "cfg", "mountPath": "/etc/a.conf", "subPath": "a.conf", "readOnly": True},
        ],
    }
    (data, to, read_only), (config, _, locked) = held.mounts(container, {"NAME": "p"})
    assert (to, read_only, locked) == ("/data", False, True)
    assert data.endswith("/scratch/logs/p")
    assert os.path.isdir(data)
    assert Path(config).read_text() == "A"
    with pytest.raises(env.ConfigError, match="cannot find volume"):
        held.mounts({"name": "c", "volumeMounts": [{"name": "no", "mountPath": "/x"}]}, {})
    with pytest.raises(env.ConfigError, match="subPath"):
        held.mounts({"name": "c", "volumeMounts": [{"name": "cfg", "mountPath": "/x", "subPath": "../.."}]}, {})
    held.remove()
    assert not tmp_path.exists()


async def test_volumes_that_the_cluster_does_not_have(tmp_path):
    made = pod({"name": "disk", "persistentVolumeClaim": {"claimName": "x"}})
    held = PodVolumes(tmp_path, made)
    with pytest.raises(MountError, match="clusterTrustBundle"):
        await files({"projected": {"sources": [{"clusterTrustBundle": {"path": "x"}}]}})
    with pytest.raises(MountError, match="persistentVolumeClaim"):
        await held.set_up(held.volumes[0], made, {}, token, {})


@pytest.mark.parametrize(("kind", "made"), [("DirectoryOrCreate", "dir"), ("FileOrCreate", "file"), ("", "dir")])
def test_host_paths_are_created_on_request(tmp_path, kind, made):
    for _ in range(2):  # the second time it is there
        path = storage.host_path({"path": str(tmp_path / "y"), "type": kind})
        assert path.is_dir() if made == "dir" else path.is_file()


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("f", "Directory", "hostPath type check failed: {}/f is not a directory, it's a File"),
        ("f", "DirectoryOrCreate", "hostPath type check failed: {}/f is not a directory, it's a File"),
        ("no", "Socket", "hostPath type check failed: hostPath {}/no doesn't exist"),
        ("", "BlockDevice", "hostPath type check failed: {} is not a block device, it's a Directory"),
        ("no/x", "FileOrCreate", "open {}/no/x: no such file or directory"),
        ("f/x", "", "mkdir {}/f/x: not a directory"),
    ],
)
def test_host_paths_are_checked(tmp_path, name, kind, message):
    (tmp_path / "f").touch()
    with pytest.raises(MountError) as caught:
        storage.host_path({"path": str(tmp_path / name), "type": kind})
    assert str(caught.value) == message.format(tmp_path)


async def test_a_group_owns_the_volumes(tmp_path):
    made = pod({"name": "scratch", "emptyDir": {}}, {"name": "cfg", "configMap": {"name": "cm", "defaultMode": 0o400}})
    made["spec"] |= {"automountServiceAccountToken": False, "securityContext": {"fsGroup": os.getgid()}}
    held = PodVolumes(tmp_path, made)
    for volume in held.volumes:
        await held.set_up(volume, made, SOURCES, token, {})
    modes = {name: (tmp_path / "volumes" / name).stat().st_mode & 0o7777 for name in ("scratch", "cfg", "cfg/a.conf")}
    assert modes == {"scratch": 0o2777, "cfg": 0o2755, "cfg/a.conf": 0o440}


@pytest.mark.parametrize(
    ("spec", "mode", "owner"),
    [
        ({}, 0o644, None),
        ({"securityContext": {"fsGroup": 5}}, 0o600, None),
        ({"securityContext": {"runAsUser": 7}}, 0o600, 7),
        ({"containers": [{"securityContext": {"runAsUser": 7}}, {}]}, 0o644, None),
    ],
)
async def test_who_may_read_a_token(spec, mode, owner):
    volume = {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
    made = pod(**{"containers": [{}], **spec})
    found = await volumes.payload(volume, made, {}, token, {})
    assert (found["t"].mode, found["t"].owner) == (mode, owner)


async def test_an_empty_dir_beyond_its_limit(tmp_path):
    made = pod({"name": "scratch", "emptyDir": {"sizeLimit": "64Ki"}}, automountServiceAccountToken=False)
    held = PodVolumes(tmp_path, made)
    await held.set_up(held.volumes[0], made, {}, token, {})
    assert held.overflowing() == ""
    (tmp_path / "volumes/scratch/big").write_bytes(b"x" * 100_000)
    assert held.overflowing() == 'Usage of EmptyDir volume "scratch" exceeds the limit "64Ki". '

"""Which program an image's name stands for."""

import os
import ssl

import pytest

from podwalk.kubelet import images
from podwalk.kubelet.images import Catalogue, ImageError, ImageNotFound, InvalidImageName

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost"


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("hashicorp/http-echo", "docker.io/hashicorp/http-echo:latest"),
        ("docker.io/nginx", "docker.io/nginx:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("a.b/c@sha256:0123", "a.b/c@sha256:0123"),
    ],
)
def test_references_are_completed(image, full):
    assert images.normalize(image) == full


@pytest.mark.parametrize("image", ["", "Nginx", "no spaces", "nginx:1:2/x", "ng!nx"])
def test_names_that_no_image_can_have(image):
    with pytest.raises(InvalidImageName):
        Catalogue().resolve(image)


@pytest.mark.parametrize("tag", ["", ":2.53", ":latest", "@sha256:abc"])
def test_any_tag_of_agnhost_pauses_by_default(tag):
    found = Catalogue().resolve(AGNHOST + tag)
    assert found.argv == ["/agnhost", "pause"]
    assert "/agnhost" in found.programs


@pytest.mark.parametrize(
    ("command", "args", "argv"),
    [
        (None, ["netexec", "--http-port=80"], ["/agnhost", "netexec", "--http-port=80"]),
        (["/agnhost"], ["connect"], ["/agnhost", "connect"]),
        (["sh", "-c", "true"], None, ["sh", "-c", "true"]),
        ([], [], ["/agnhost", "pause"]),
    ],
)
def test_commands_and_arguments_replace_those_of_the_image(command, args, argv):
    assert Catalogue().resolve(AGNHOST, command, args).argv == argv


def test_every_builtin_image_resolves():
    for ref, _ in images.catalogue():
        assert Catalogue().resolve(ref).argv


def test_an_unknown_image_says_what_to_do():
    with pytest.raises(ImageNotFound) as caught:
        Catalogue().resolve("example.com/shop:1")
    message = str(caught.value)
    assert "podwalk image list" in message
    assert "podwalk image add example.com/shop:1 --program" in message


def test_pull_policies():
    assert images.default_pull_policy("nginx") == "Always"
    assert images.default_pull_policy("nginx:latest") == "Always"
    assert images.default_pull_policy("nginx:1.27") == "IfNotPresent"
    assert images.default_pull_policy("nginx@sha256:ab") == "IfNotPresent"


def test_the_users_images_are_read_again_when_the_file_changes(tmp_path):
    path, program = tmp_path / "images.yaml", tmp_path / "shop"
    program.write_bytes(b"#!/bin/sh\n")
    catalogue = Catalogue(path)
    with pytest.raises(ImageNotFound):
        catalogue.resolve("shop:1")
    path.write_text(f"- {{ref: 'shop:1', program: {program}}}\n- broken\n- {{ref: shop}}\n")
    found = catalogue.resolve("shop:1", None, ["-v"])
    assert found.argv == [str(program), "-v"]
    copy = found.programs[str(program)].place(tmp_path / "node")
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (b"#!/bin/sh\n", 0o755)
    with pytest.raises(ImageNotFound):
        catalogue.resolve("shop:2")
    path.write_text("- {ref: shop, program: [/bin/echo, hello]}\n")
    assert catalogue.resolve("shop:2").argv == ["/bin/echo", "hello"]
    path.unlink()
    with pytest.raises(ImageNotFound):
        catalogue.resolve("shop:2")


def test_a_users_program_that_is_gone_is_named(tmp_path):
    path = tmp_path / "images.yaml"
    path.write_text("- {ref: shop, program: /nowhere/shop}\n")
    with pytest.raises(ImageError, match="it runs /nowhere/shop: no such file or directory"):
        Catalogue(path).resolve("shop")


def test_the_users_files_are_read_below_another_root(tmp_path):
    (tmp_path / "images.yaml").write_text("- {ref: shop, program: /shop}\n")
    (tmp_path / "shop").write_bytes(b"me")
    root = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    try:
        found = Catalogue("/images.yaml", root).resolve("shop").programs["/shop"]
        assert found.place(tmp_path / "node").read_bytes() == b"me"
    finally:
        os.close(root)


def test_a_users_image_goes_before_the_builtin_one(tmp_path):
    path = tmp_path / "images.yaml"
    path.write_text("- {ref: nginx, program: /usr/games/mine}\n")
    assert Catalogue(path).resolve("nginx:1.27").argv == ["/usr/games/mine"]
    assert [e.ref for e in Catalogue(path).entries()].count("docker.io/library/nginx") == 1


def test_a_users_program_takes_the_builtin_ones_place(tmp_path):
    path, program = tmp_path / "images.yaml", tmp_path / "agnhost-2.63"
    program.write_bytes(b"the original")
    path.write_text(f"- {{ref: 'registry.k8s.io/e2e-test-images/agnhost:2.63.0', program: {program}}}\n")
    found = Catalogue(path).resolve("registry.k8s.io/e2e-test-images/agnhost:2.63.0")
    assert (found.argv, list(found.programs)) == (["/agnhost", "pause"], ["/agnhost", "/agnhost-2", "/coredns"])
    assert found.programs["/agnhost-2"] == found.programs["/agnhost"]
    assert b"podwalk.dns" in found.programs["/coredns"]
    assert sorted(found.files) == ["/localhost.crt", "/localhost.key"]
    assert found.programs["/agnhost"].place(tmp_path / "node").read_bytes() == b"the original"
    other = Catalogue(path).resolve("registry.k8s.io/e2e-test-images/agnhost:2.53")
    assert isinstance(other.programs["/agnhost"], bytes)


def test_a_changed_program_is_copied_again_and_the_old_copy_goes(tmp_path):
    path, program, node = tmp_path / "images.yaml", tmp_path / "shop", tmp_path / "node"
    path.write_text(f"- {{ref: shop, program: {program}}}\n")
    catalogue = Catalogue(path)
    program.write_bytes(b"1")
    first = catalogue.resolve("shop").programs[str(program)].place(node)
    assert catalogue.resolve("shop").programs[str(program)].place(node) == first
    program.write_bytes(b"22")
    second = catalogue.resolve("shop").programs[str(program)].place(node)
    assert [p.read_bytes() for p in node.iterdir()] == [second.read_bytes()] == [b"22"]


def test_the_certificate_of_agnhost_can_serve(tmp_path):
    files = Catalogue().resolve("registry.k8s.io/e2e-test-images/agnhost:2.53").files
    for name in ("localhost.crt", "localhost.key"):
        (tmp_path / name).write_bytes(files[f"/{name}"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "localhost.crt", tmp_path / "localhost.key")
    ssl.create_default_context(cadata=files["/localhost.crt"].decode())

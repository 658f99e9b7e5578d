# SPDX-License-Identifier: Apache-2.0
"""What `make images` has made, read from the archives themselves."""
import hashlib
import io
import json
import os
import subprocess
import tarfile

import pytest

from delivery import ROOT, run

IMAGES = ROOT / "build" / "images"
PROGRAMS = ["wsf-sidecar", "wsf-operator", "wsf-gateway"]
SAMPLES = ["wsf-runtime-python", "wsf-runtime-node", "wsf-echo-python", "wsf-echo-node"]


class Image:
    def __init__(self, name: str):
        self.archive = tarfile.open(IMAGES / f"{name}.tar")
        self.manifest = json.loads(self.read("manifest.json"))[0]
        self.config = json.loads(self.read(self.manifest["Config"]))
        self.digest = hashlib.sha256(self.read(self.manifest["Config"])).hexdigest()

    def read(self, name: str) -> bytes:
        return self.archive.extractfile(name).read()

    def entries(self) -> list[tarfile.TarInfo]:
        found = []
        for layer in self.manifest["Layers"]:
            found += tarfile.open(fileobj=io.BytesIO(self.read(layer))).getmembers()
        return found

    def unpack(self, folder) -> None:
        for layer in self.manifest["Layers"]:
            tarfile.open(fileobj=io.BytesIO(self.read(layer))).extractall(folder)


@pytest.mark.parametrize("name", PROGRAMS + SAMPLES)
def test_k54_every_image_runs_as_a_numbered_user_who_is_not_root(name):
    image = Image(name)
    user, _, group = image.config["config"]["User"].partition(":")
    assert int(user) > 0 and int(group) > 0
    assert image.manifest["RepoTags"] == [f"localhost/wsf/{name}:0.1.0"]


def test_h10_the_image_for_that_test_insists_on_root():
    assert Image("wsf-root").config["config"]["User"] in ("root", "0")


def test_k54_the_sidecars_image_is_two_static_programs_and_nothing_else(tmp_path):
    image = Image("wsf-sidecar")
    assert sorted(entry.name for entry in image.entries()) == ["wsf-report", "wsf-sidecar"]
    assert image.config["config"]["Entrypoint"] == ["/wsf-sidecar"]
    image.unpack(tmp_path)
    for name in ("wsf-report", "wsf-sidecar"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o755
        assert "not a dynamic executable" in run("ldd", tmp_path / name).stderr


@pytest.mark.parametrize("name", ["wsf-operator", "wsf-gateway"])
def test_k54_the_base_holds_all_that_the_program_needs_and_no_shell(tmp_path, name):
    image = Image(name)
    image.unpack(tmp_path)
    assert not list(tmp_path.rglob("sh")) and not list(tmp_path.rglob("bash"))
    if os.geteuid() != 0:
        pytest.skip("not root: the image cannot be entered")
    done = run("chroot", tmp_path, f"/usr/bin/{name}", "--help")
    assert done.returncode == 0 and "Usage" in done.stdout, done.stderr


def test_k54_operator_and_gateway_share_their_base():
    one, other = Image("wsf-operator"), Image("wsf-gateway")
    assert one.config["rootfs"]["diff_ids"][0] == other.config["rootfs"]["diff_ids"][0]


def test_k54_two_builds_give_the_same_images():
    before = {name: Image(name).digest for name in PROGRAMS}
    for words in (["make", "-s", "image-files"], ["images/build", *PROGRAMS]):
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
    assert {name: Image(name).digest for name in PROGRAMS} == before


@pytest.mark.parametrize("name", PROGRAMS)
def test_k54_the_bill_of_materials_names_the_files_and_the_packages_of_the_image(tmp_path, name):
    document = json.loads((IMAGES / f"{name}.spdx.json").read_text())
    assert document["spdxVersion"] == "SPDX-2.3"
    ids = {each["SPDXID"] for each in document["packages"] + document["files"]}
    for relation in document["relationships"]:
        assert relation["relatedSpdxElement"] in ids
    Image(name).unpack(tmp_path)
    for file in document["files"]:
        path = next(tmp_path.rglob(file["fileName"].removeprefix("./")))
        assert hashlib.sha256(path.read_bytes()).hexdigest() == \
            file["checksums"][0]["checksumValue"]
    names = {each["name"] for each in document["packages"]}
    if name == "wsf-sidecar":  # linked in
        assert {"libssl-dev", "libgrpc++-dev", "libc6-dev", "libboost1.74-dev"} <= names
    else:  # every library in the base has its package, and its licence there
        licences = {path.parent.name for path in (tmp_path / "usr/share/doc").rglob("copyright")}
        assert {"libssl3", "libc6", "libgrpc++1.51"} <= licences <= names


@pytest.fixture(scope="module")
def runtimes(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("not root: an image cannot be entered")
    return {name: Runtime(f"wsf-runtime-{name}", tmp_path_factory.mktemp(name))
            for name in ("python", "node")}


class Runtime:
    """An unpacked image that runs its entry point as a container would."""

    def __init__(self, name: str, folder):
        image = Image(name)
        self.config = image.config["config"]
        image.unpack(folder)
        folder.chmod(0o755)  # the image's user is to enter it
        self.folder = folder
        self.bootstrap = folder / "code" / "scf_bootstrap"

    def run(self, *words):
        script = f"cd {self.config['WorkingDir']} && exec {self.config['Entrypoint'][0]} \"$@\""
        return run("chroot", f"--userspec={self.config['User']}", self.folder, "/bin/bash", "-c",
                   script, "-", *words,
                   env=dict(each.split("=", 1) for each in self.config["Env"]))


BOOTSTRAPS = {"python": "#!/bin/bash\nexec /var/lang/python3/bin/python3 -c "
                        "'import websockets; print(\"listens\")'\n",
              "node": "#!/bin/bash\nexec /var/lang/node12/bin/node -e "
                      "'require(\"ws\"); console.log(\"listens\")'\n"}


@pytest.mark.parametrize("name", BOOTSTRAPS)
def test_k55_s3_21_a_runtime_runs_a_bootstrap_of_the_field_or_a_command(runtimes, name):
    runtime = runtimes[name]
    done = runtime.run()
    assert done.returncode == 127 and "mount code" in done.stderr
    runtime.bootstrap.write_text(BOOTSTRAPS[name])
    runtime.bootstrap.chmod(0o644)
    done = runtime.run()
    assert done.returncode == 126 and "defaultMode: 0755" in done.stderr
    runtime.bootstrap.chmod(0o755)
    done = runtime.run()
    assert done.stdout == "listens\n", done.stderr
    assert runtime.run("echo", "a  command").stdout == "a  command\n"

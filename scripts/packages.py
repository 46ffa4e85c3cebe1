"""Gets packages by name with the ordinary clients (pip, npm, cargo), into target/packages/.

Each is pinned by version and by the SHA-256 of the archive that the registry serves; what is already there is
not fetched again.
"""

import hashlib
import json
import shutil
import sys
import tarfile
import zipfile

from wasm_toolchain import ROOT, fail, need, run

PACKAGES = ROOT / "target" / "packages"


def pypi(name, version, sha256):
    """The folder of an unpacked wheel."""

    def fetch(folder):
        run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, f"{name}=={version}")
        archive = checked(folder, sha256)
        zipfile.ZipFile(archive).extractall(folder)
        archive.unlink()

    return folder_of(name, version, "pip", fetch)


def npm(name, version, sha256):
    """The folder `package` of an unpacked npm package."""

    def fetch(folder):
        need("npm", f"fetch the package {name}")
        run("npm", "pack", "--silent", "--pack-destination", folder, f"{name}@{version}")
        archive = checked(folder, sha256)
        unpack(archive, folder)
        archive.unlink()

    return folder_of(name, version, "npm", fetch) / "package"


def crate(name, version, sha256):
    """The folder of a crate's sources, by way of `cargo vendor` for an empty crate that depends on it."""

    def fetch(folder):
        need("cargo", f"fetch the crate {name}")
        (folder / "lib.rs").touch()
        (folder / "Cargo.toml").write_text(
            '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n'
            f'[dependencies]\n{name} = "={version}"\n[workspace]\n'
        )
        run("cargo", "vendor", "--quiet", "vendor", cwd=folder)
        archive = json.loads((folder / "vendor" / name / ".cargo-checksum.json").read_text())["package"]
        same(name, archive, sha256)

    return folder_of(name, version, "cargo", fetch) / "vendor" / name


def folder_of(name, version, client, fetch):
    folder = PACKAGES / f"{name.replace('/', '-')}-{version}"
    if not folder.exists():
        print(f"fetching {name} {version} with {client}", flush=True)
        partial = folder.with_name("partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        fetch(partial)
        partial.rename(folder)
    return folder


def checked(folder, sha256):
    """The one file in the folder, after a comparison of its digest."""
    (archive,) = folder.iterdir()
    same(archive.name, hashlib.sha256(archive.read_bytes()).hexdigest(), sha256)
    return archive


def same(name, got, want):
    if got != want:
        fail(f"{name} has the SHA-256 {got}, expected {want}: not used")


def unpack(archive, folder):
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")

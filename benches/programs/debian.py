"""Gets single files out of Debian source packages, with apt-get and lists of its own under target/tools/.

The mirror is the one that the machine's apt uses for binary packages; nothing of the machine's own
configuration or state is changed.
"""

import hashlib
import shutil
import subprocess
import tarfile

from packages import PACKAGES, same
from wasm_toolchain import TOOLS, need, run


def source(package, member, sha256):
    """The file whose path inside the original source archive of the package ends in `member`."""
    need("apt-get", f"fetch the source package {package}")
    folder = PACKAGES / f"debian-{package}"
    path = folder / member.rpartition("/")[2]
    if not path.exists():
        print(f"fetching {package} with apt-get", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        run("apt-get", *options(), "source", "--download-only", package, cwd=folder)
        path.write_bytes(extract(folder, member, sha256))
        for archive in folder.glob(f"{package}_*"):
            archive.unlink()
    return path


def extract(folder, member, sha256):
    (archive,) = folder.glob("*.orig.tar.*")
    with tarfile.open(archive) as tar:
        (found,) = [m for m in tar.getmembers() if m.name.endswith("/" + member)]
        data = tar.extractfile(found).read()
    same(member, hashlib.sha256(data).hexdigest(), sha256)
    return data


def options():
    """apt-get's options for source packages, after an update of the lists that they name."""
    home = TOOLS / "apt"
    chosen = [
        "-o", "Dir::Etc::SourceList=/dev/null",
        "-o", f"Dir::Etc::SourceParts={home / 'parts'}",
        "-o", f"Dir::State::Lists={home / 'lists'}",
    ]  # fmt: skip
    if not (home / "parts").exists():
        shutil.rmtree(home, ignore_errors=True)
        (home / "lists").mkdir(parents=True)
        text = source_entries()
        (home / "parts").mkdir()
        (home / "parts" / "source.list").write_text(text)
        run("apt-get", *chosen, "update")
    return chosen


def source_entries():
    """One `deb-src` line for each suite of Debian that the machine's apt knows."""
    form = "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT) of $(ORIGIN)"
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"], capture_output=True, text=True, check=True
    )
    lines = {line.removesuffix(" of Debian") for line in found.stdout.splitlines() if line.endswith(" of Debian")}
    return "\n".join(sorted(lines)) + "\n"

"""What build-fixtures and fetch-programs share: the C compiler for wasm32-wasi, and the finishing of modules.

The compiler is the PyPI package ziglang (clang, wasm-ld and wasi-libc in one), installed with pip into
`target/tools/venv`, beside the package wasmtime, with which every result is validated against WebAssembly 2.0
without SIMD.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "target" / "tools"
PACKAGES = ["ziglang==0.17.0", "wasmtime==48.0.0"]

# One C stack size for all programs (the linker's own default, 16 MiB, only makes memories large).
STACK_BYTES = 1 << 20
CC_FLAGS = ["-target", "wasm32-wasi", "-g", "-Wl,-z,stack-size=%d" % STACK_BYTES]

VALIDATE = """
import sys, wasmtime
config = wasmtime.Config()
for off in "threads tail_call simd relaxed_simd multi_memory memory64 exceptions function_references gc".split():
    setattr(config, "wasm_" + off, False)
engine = wasmtime.Engine(config)
for path in sys.argv[1:]:
    try:
        data = open(path, "rb").read()
        wasmtime.Module.validate(engine, wasmtime.wat2wasm(data) if path.endswith(".wat") else data)
    except wasmtime.WasmtimeError as e:
        sys.exit(f"{path}: not WebAssembly 2.0 without SIMD: {e}")
"""


def fail(message):
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


def need(tool, why):
    if not shutil.which(tool):
        fail(f"`{tool}` is not installed; it is needed to {why}")


def run(*command, **options):
    """Runs a command and ends the script with the command's own words when it fails."""
    command = [str(c) for c in command]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        fail(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def python():
    """The interpreter of the tools' virtual environment, which is made on first use."""
    home = TOOLS / "venv"
    stamp = home / "packages"
    if not stamp.exists() or stamp.read_text().split() != PACKAGES:
        print(f"installing {', '.join(PACKAGES)}", flush=True)
        venv.create(home, with_pip=True, clear=True)
        run(home / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES)
        stamp.write_text("\n".join(PACKAGES))
    return home / "bin" / "python"


def ziglang():
    """The folder of the compiler, its libraries and their licences."""
    (folder,) = (python().parent.parent / "lib").glob("python3*/site-packages/ziglang")
    return folder


def cc(output, *arguments, cwd=None):
    """Compiles C to a WASI command, drops the debug sections and keeps the names."""
    linked = TOOLS / "linked" / Path(output).name  # the linker writes this name into the module
    linked.parent.mkdir(parents=True, exist_ok=True)
    run(python(), "-m", "ziglang", "cc", *CC_FLAGS, *arguments, "-o", linked, cwd=cwd)
    Path(output).write_bytes(without_debug(linked.read_bytes()))


def validate(*paths):
    run(python(), "-c", VALIDATE, *paths)


def leb128(data, at):
    """Reads an unsigned LEB128 number: (value, position behind it)."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def sections(module):
    """Yields (id, name of a custom section or "", whole section, payload)."""
    at = 8
    while at < len(module):
        start, kind = at, module[at]
        size, body = leb128(module, at + 1)
        at = body + size
        name = ""
        if kind == 0:
            length, text = leb128(module, body)
            name, body = module[text : text + length].decode(), text + length
        yield kind, name, module[start:at], module[body:at]


def without_debug(module):
    return module[:8] + b"".join(s for _, name, s, _ in sections(module) if not name.startswith(".debug_"))


def features(module):
    """The names in the target_features section, which the linker wrote from what the objects use."""
    for _, name, _, body in sections(module):
        if name == "target_features":
            count, at = leb128(body, 0)
            names = []
            for _ in range(count):
                length, text = leb128(body, at + 1)
                at = text + length
                names.append(body[text:at].decode())
            return names
    return []

"""Builds SQLite's shell for WASI from the amalgamation in the npm package sqlite3."""

from packages import npm, unpack
from wasm_toolchain import cc

FLAGS = """
    -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_WAL -DSQLITE_OMIT_POPEN
    -DSQLITE_NOHAVE_SYSTEM
    -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_GETPID -D_WASI_EMULATED_PROCESS_CLOCKS
    -lwasi-emulated-signal -lwasi-emulated-getpid -lwasi-emulated-process-clocks
""".split()


def build(output):
    deps = npm("sqlite3", "5.1.7", "44cc9bdee02705a7b636f76968d745e21c1d0b2f1c62810c678bc3b0ececab1b") / "deps"
    source = deps / "sqlite-autoconf-3440200"
    if not source.exists():
        unpack(deps / "sqlite-autoconf-3440200.tar.gz", deps)
    cc(output, "-O2", *FLAGS, source / "shell.c", source / "sqlite3.c")

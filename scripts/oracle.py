#!/usr/bin/env python3
"""Runs a WASI command with wasmtime's Python binding: the other engine, which records expected outputs.

    pip install wasmtime==48.0.0
    scripts/oracle.py [--dir HOST[::GUEST]] [--env K=V] [--argv0 NAME] [--unknown-imports deny|trap]
                      app.wasm|app.wat [args...]

The options and the exit code are those of `precast run`: the program's own code, or 134 after a trap, whose
message goes to standard error with the wasm frames, innermost first. `ORACLE_CACHE=1` turns on wasmtime's
compilation cache.
"""

import argparse
import os
import sys

try:
    import wasmtime
except ImportError:
    sys.exit("oracle.py: this Python has no wasmtime; pip install wasmtime==48.0.0")


def arguments():
    parser = argparse.ArgumentParser(description="Run a WASI command with wasmtime.")
    parser.add_argument("--dir", action="append", default=[], metavar="HOST[::GUEST]")
    parser.add_argument("--env", action="append", default=[], metavar="K=V")
    parser.add_argument("--argv0", metavar="NAME")
    parser.add_argument("--unknown-imports", choices=["deny", "trap"], default="deny")
    parser.add_argument("app")
    parser.add_argument("args", nargs=argparse.REMAINDER)
    return parser.parse_args()


def main():
    options = arguments()
    config = wasmtime.Config()
    config.wasm_exceptions = True
    config.wasm_function_references = True
    config.wasm_gc = True
    if os.environ.get("ORACLE_CACHE"):
        config.cache = True
    engine = wasmtime.Engine(config)
    module = wasmtime.Module.from_file(engine, options.app)

    wasi = wasmtime.WasiConfig()
    wasi.argv = [options.argv0 or options.app, *options.args]
    wasi.env = [pair.split("=", 1) for pair in options.env]
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    for mapping in options.dir:
        host, _, guest = mapping.partition("::")
        wasi.preopen_dir(host, guest or host)

    store = wasmtime.Store(engine)
    store.set_wasi(wasi)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    if options.unknown_imports == "trap":
        linker.define_unknown_imports_as_traps(module)
    try:
        start = linker.instantiate(store, module).exports(store)["_start"]
        start(store)
    except wasmtime.ExitTrap as e:
        return e.code
    except wasmtime.Trap as trap:
        print(trap.message, file=sys.stderr)
        return 134
    return 0


sys.exit(main())

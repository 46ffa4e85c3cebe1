"""Builds Lua's interpreter for WASI from the crate lua-src and tests/fixtures/lua/."""

from packages import crate
from wasm_toolchain import ROOT, cc
from wasm_unwind import add_checks

SOURCE = ROOT / "tests" / "fixtures" / "lua"


def sources():
    return crate("lua-src", "551.1.0", "41d22b201501a536c0f5a96c7589b268b559172b20fb029064434e38ddcecb1f")


def build(output, optimize):
    lua = sources() / "lua-5.4.9"
    cc(
        output,
        optimize,
        "-include", SOURCE / "unwind.h",
        "-I", lua,
        "-D_WASI_EMULATED_SIGNAL", "-D_WASI_EMULATED_PROCESS_CLOCKS",
        "-lwasi-emulated-signal", "-lwasi-emulated-process-clocks",
        "-Wl,--export=unwinding",
        *sorted(lua.glob("*.c")),
        *sorted(SOURCE.glob("*.c")),
    )
    checked = add_checks(output.read_bytes(), flag="unwinding", throw="unwind_throw", protect="unwind_protect")
    output.write_bytes(checked)

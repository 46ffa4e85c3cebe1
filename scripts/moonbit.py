"""Builds a MoonBit program for WASI with the npm package @moonbit/moonpad-monaco, which holds the compiler."""

from packages import npm
from wasm_toolchain import ROOT, leb128, need, run, sections

EXPORTS = 7


def package():
    digest = "d32579642863260f2fcf4fb24586d1ea59a6bfac0626f4761db45bb7fbe2d035"
    return npm("@moonbit/moonpad-monaco", "0.1.202602255", digest)


def build(output, source):
    need("node", "run MoonBit's compiler")
    run("node", ROOT / "scripts" / "moonbit.cjs", package(), source, output)
    output.write_bytes(with_exported_memory(output.read_bytes()))


def with_exported_memory(module):
    """Exports the memory, as WASI wants it. The linker has an option for that, which its worker does not take."""
    result = module[:8]
    for kind, _, section, body in sections(module):
        if kind == EXPORTS:
            count, at = leb128(body, 0)
            body = encode(count + 1) + body[at:] + b"\x06memory\x02\x00"
            section = bytes([EXPORTS]) + encode(len(body)) + body
        result += section
    return result


def encode(number):
    """The unsigned LEB128 form of a number."""
    result = b""
    while number >= 0x80:
        result += bytes([number & 0x7F | 0x80])
        number >>= 7
    return result + bytes([number])

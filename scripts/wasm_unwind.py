"""Gives a module non-local returns with nothing but WebAssembly's first version: longjmp without exceptions.

The module has a flag (an exported global of type i32), one function that sets it (`throw`) and one that calls
another function and clears the flag (`protect`). `add_checks` puts behind each call that may reach `throw`

    if (flag) return 0;

so that all frames between the two are left. `protect` itself gets no check, and no call to it does.
"""

from wasm_toolchain import leb128, sections

ZERO = {0x7F: b"\x41\x00", 0x7E: b"\x42\x00", 0x7D: b"\x43" + bytes(4), 0x7C: b"\x44" + bytes(8)}
CALL, CALL_INDIRECT = 0x10, 0x11


def add_checks(module, flag, throw, protect):
    parts = {kind: body for kind, _, _, body in sections(module) if kind}
    names = function_names(module)
    throw, protect = names[throw], names[protect]
    types = read_types(parts[1])
    imported = sum(kind == 0 for kind in import_kinds(parts[2]))
    signatures = vector(parts[3], 0, leb128)[0]
    bodies = vector(parts[10], 0, sized)[0]
    calls = {imported + i: list(call_sites(body)) for i, body in enumerate(bodies)}

    throwing = {f for f, sites in calls.items() if any(target is None for target, _ in sites)} | {throw}
    throwing.discard(protect)
    size = 0
    while size != len(throwing):
        size = len(throwing)
        throwing |= {f for f, sites in calls.items() if f != protect and any(t in throwing for t, _ in sites)}

    flag = unsigned(exported(parts[7], flag))
    count = 0
    for i, body in enumerate(bodies):
        if imported + i in (throw, protect):
            continue
        results = types[signatures[i]]
        check = b"\x23" + flag + b"\x04\x40" + b"".join(ZERO[r] for r in results) + b"\x0f\x0b"
        out, copied = [], 0
        for target, end in calls[imported + i]:
            if target is None or target in throwing:
                out += [body[copied:end], check]
                copied = end
                count += 1
        bodies[i] = b"".join(out) + body[copied:]
    code = unsigned(len(bodies)) + b"".join(unsigned(len(b)) + b for b in bodies)
    print(f"non-local returns: {count} checks in {len(bodies)} functions")
    return module[:8] + b"".join(
        b"\x0a" + unsigned(len(code)) + code if kind == 10 else whole for kind, _, whole, _ in sections(module)
    )


def call_sites(body):
    """Yields (callee, or None for an indirect call; position behind the instruction)."""
    at = 0
    groups, at = leb128(body, at)
    for _ in range(groups):
        _, at = leb128(body, at)
        at += 1
    while at < len(body):
        op, start = body[at], at + 1
        at = skip_immediates(body, op, start)
        if op == CALL:
            yield leb128(body, start)[0], at
        elif op == CALL_INDIRECT:
            yield None, at


def skip_immediates(code, op, at):
    if op == 0xFC:
        op, at = leb128(code, at)
        numbers = 0 if op < 8 else 1 if op in (9, 11, 13, 15, 16, 17) else 2
    elif op in (0x0E, 0x1C):  # br_table has one label more than it counts; typed select
        numbers, at = leb128(code, at)
        numbers += op == 0x0E
    elif op in (0x43, 0x44):
        return at + (4 if op == 0x43 else 8)
    elif op == CALL_INDIRECT or 0x28 <= op <= 0x3E:
        numbers = 2
    elif op in (0x02, 0x03, 0x04, 0x0C, 0x0D, CALL, 0x3F, 0x40, 0x41, 0x42, 0xD0, 0xD2) or 0x20 <= op <= 0x26:
        numbers = 1
    elif op <= 0x1B or 0x45 <= op <= 0xC4 or op == 0xD1:
        numbers = 0
    else:
        raise ValueError(f"unexpected opcode {op:#x}")
    for _ in range(numbers):
        _, at = leb128(code, at)
    return at


def read_types(body):
    """The result types of each function type."""

    def one(data, at):
        _, at = sized(data, at + 1)
        return sized(data, at)

    return vector(body, 0, one)[0]


def import_kinds(body):
    def one(data, at):
        for _ in range(2):
            _, at = sized(data, at)
        kind, at = data[at], at + 1
        if kind != 0:
            raise ValueError("expected only functions among the imports")
        return kind, leb128(data, at)[1]

    return vector(body, 0, one)[0]


def exported(body, name):
    """The index of an export."""

    def one(data, at):
        text, at = sized(data, at)
        index, at = leb128(data, at + 1)
        return (text.decode(), index), at

    return dict(vector(body, 0, one)[0])[name]


def function_names(module):
    for kind, name, _, body in sections(module):
        at = 0
        while name == "name" and at < len(body):
            section, (content, at) = body[at], sized(body, at + 1)
            if section == 1:

                def one(data, at):
                    index, at = leb128(data, at)
                    text, at = sized(data, at)
                    return (text.decode(), index), at

                return dict(vector(content, 0, one)[0])
    raise ValueError("the module has no function names")


def vector(data, at, item):
    count, at = leb128(data, at)
    items = []
    for _ in range(count):
        value, at = item(data, at)
        items.append(value)
    return items, at


def sized(data, at):
    size, at = leb128(data, at)
    return data[at : at + size], at + size


def unsigned(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])

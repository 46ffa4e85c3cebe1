# Exceptions of every kind: MicroPython leaves calls by longjmp, which is an exception of WebAssembly here.

import gc

gc.disable()  # it looks for references in memory only, and misses those in locals of WebAssembly


class Missing(KeyError):
    pass


def descend(depth):
    if depth == 0:
        raise Missing("bottom")
    return descend(depth - 1) + 1


def caught(depth):
    try:
        return descend(depth)
    except Missing as error:
        return error.args[0]
    finally:
        trail.append(depth)


trail = []
print([caught(depth) for depth in (0, 1, 40)], trail)

for action in (
    lambda: 1 // 0,
    lambda: [][1],
    lambda: {}["key"],
    lambda: "text" + 1,
    lambda: int("x"),
    lambda: None.attribute,
    lambda: undefined,
):
    try:
        action()
    except Exception as error:
        print(type(error).__name__, error)

try:
    try:
        1 // 0
    except ZeroDivisionError:
        raise ValueError("while handling")
except ValueError as error:
    print("replaced by", repr(error))


# Thrown and caught many times, also through a native function that calls back.
def key(number):
    if number % 2:
        raise StopIteration
    return -number


total = 0
for number in range(1000):
    try:
        total += sorted([number, number + 2], key=key)[0]
    except StopIteration:
        total -= 1
print(total)


def numbers():
    try:
        for number in range(3):
            yield number
    finally:
        print("generator closed")


generator = numbers()
print(next(generator), next(generator))
generator.close()
raise Missing("uncaught")

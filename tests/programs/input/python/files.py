"""Reads and writes files through several standard modules, and prints what it found."""

import csv
import hashlib
import json
import os
import re
import struct
import sys
from pathlib import Path

work = Path(sys.argv[1])
print("python", ".".join(map(str, sys.version_info[:2])), sys.platform, sys.argv[2:], os.environ.get("GREETING"))

rows = list(csv.DictReader((work / "planets.csv").open(newline="")))
rows.sort(key=lambda row: float(row["mass"]))
for row in rows:
    print(f"{row['name']:>8} {float(row['mass']):10.3f} {int(row['moons']):4d}")

out = work / "out"
out.mkdir()
(out / "planets.json").write_text(json.dumps({row["name"]: row for row in rows}, indent=1, sort_keys=True))
with open(out / "records.bin", "wb") as f:
    for row in rows:
        f.write(struct.pack("<10sdi", row["name"].encode(), float(row["mass"]), int(row["moons"])))
    print("written", f.tell())
with open(out / "records.bin", "r+b") as f:
    size = struct.calcsize("<10sdi")
    f.seek(2 * size)
    name, mass, moons = struct.unpack("<10sdi", f.read(size))
    print("record 2:", name.rstrip(b"\0").decode(), mass, moons)
    f.seek(0, os.SEEK_END)
    f.write(b"end")
    f.truncate(size)

os.rename(out / "records.bin", out / "first.bin")
for path in sorted(out.iterdir()):
    data = path.read_bytes()
    print(path.name, path.stat().st_size, hashlib.sha256(data).hexdigest()[:16])

text = (work / "files.py").read_text()
print("functions called:", len(set(re.findall(r"(\w+)\(", text))))

try:
    open(work / "missing.txt")
except FileNotFoundError as e:
    print("error:", e.strerror)
try:
    (work / "out").rmdir()
except OSError as e:
    print("error:", type(e).__name__)


def hanoi(n, a="a", b="b", c="c"):
    return 0 if n == 0 else hanoi(n - 1, a, c, b) + 1 + hanoi(n - 1, c, b, a)


print("hanoi", hanoi(14), "big", len(str(3**5000)), "sum", sum(i * i for i in range(100000)))
print("read from standard input:", sum(map(int, sys.stdin)))
sys.exit(3)

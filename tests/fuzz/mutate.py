"""Seeded mutations of bytes and of JSON values."""

import copy

TOKENS = [
    b"",
    b"\0",
    b"\xff" * 8,
    b"\n" * 300,
    b" " * 500,
    b'"' * 3,
    b"'" * 3,
    b"\\",
    b",;\t|",
    b"\r\n",
    b"[" * 99,
    b"{" * 99,
    b"NaN",
    b"Infinity",
    b"1e999",
    b"-1",
    b"9" * 40,
    b"9" * 5000,
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"PAR1",
    b"\x93NUMPY",
    b"../../../etc/passwd",
    b"@attribute 'x",
    b"@data",
    b"999999999:1",
    b"null",
    b"<c r='XFD1048576'>",
]
NUMBERS = [
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    32767,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
]
VALUES = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    7,
    2**31 - 64,
    2**31,
    2**63,
    2**64,
    10**400,
    0.5,
    -0.0,
    1e-320,
    1e39,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    "a",
    "1",
    "\0",
    "\ud800",
    "x" * 5000,
    "=" * 50,
    "<U999999999",
    "O",
    "i4,i4",
    "(99999999,)i4",
    [],
    {},
    [[]],
    [0] * 50,
    [1.5, 2],
    ["a", "a"],
    {"kind": "numbers"},
    [None],
]


def mutated_bytes(rng, content, others=()):
    """Return content after a few edits; `others` are contents to splice from."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        n = min(rng.choice((1, 1, 2, 4, 8, 40, 400)), len(data) - at)
        edit = rng.randrange(9)
        if edit == 0 and n:
            data[at] ^= 1 << rng.randrange(8)
        elif edit == 1 and n:
            data[at] = rng.randrange(256)
        elif edit == 2:
            del data[at : at + n]
        elif edit == 3:
            data[at:at] = data[at : at + n] * rng.choice((1, 2, 20))
        elif edit == 4:
            data[at:at] = rng.choice(TOKENS)
        elif edit == 5:
            token = rng.choice(TOKENS)
            data[at : at + len(token)] = token
        elif edit == 6:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(NUMBERS) % 256**width
            data[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))
        elif edit == 7 and others:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            data[at : at + n] = other[start : start + rng.choice((1, 4, 40, 400))]
        elif edit == 8 and rng.random() < 0.3:
            del data[at:]
    return bytes(data)


def mutated_value(rng, value):
    """Return JSON values of which a few nodes are replaced, left out, repeated or swapped."""
    root = [copy.deepcopy(value)]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(root))
        parent, key = rng.choice(places)
        edit = rng.randrange(5)
        old = parent[key]
        if edit == 0 and isinstance(parent, dict):
            del parent[key]
        elif edit == 1 and isinstance(parent, dict):
            parent[rng.choice(("", "kind", "x", "\ud800", key + "'"))] = old
        elif edit == 1 and parent is not root:
            parent[key:key] = [copy.deepcopy(old)] * rng.choice((1, 1, 3))
        elif edit == 2 and parent is not root and isinstance(parent, list):
            del parent[key]
        elif edit == 3:
            _, (other, at) = rng.choice(places), rng.choice(places)
            try:
                parent[key] = copy.deepcopy(other[at])
            except (KeyError, IndexError):  # an edit before has taken it away
                continue
        elif isinstance(old, int | float) and rng.random() < 0.5 and old == old:
            parent[key] = old + rng.choice((-1, 1, 0.5, 1000)) if abs(old) < 2**60 else -old
        else:
            parent[key] = copy.deepcopy(rng.choice(VALUES))
    return root[0]


def _places(node):
    """Yield (parent, key) of each node below this one; of long lists only some."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    for key in keys[:3] + keys[-3:] if len(keys) > 30 else keys:
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])

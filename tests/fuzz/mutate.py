"""Seeded mutations of bytes, of XML and of JSON values."""

import pickle
import re

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


def mutated_xml(rng, content):
    """Return XML of which a few texts and values of attributes are others, still well-formed."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        texts = list(re.finditer(rb'(?<==")[^"<]*(?=")|(?<=>)[^<]*(?=<)', content))
        if not texts:
            break
        text = rng.choice(texts)
        how = rng.randrange(4)
        if how == 0:
            new = rng.choice(texts)[0]
        elif how == 1:
            new = b"%d" % rng.choice((-1, *NUMBERS))
        else:
            new = mutated_bytes(rng, text[0], TOKENS) if how == 2 else rng.choice(TOKENS)
            new = bytes(c for c in new if 32 <= c < 127 and c not in b'<>&"')
        content = content[: text.start()] + new + content[text.end() :]
    return content


def mutated_value(rng, value):
    """Return JSON values of which a few nodes are replaced, left out, repeated or swapped."""
    root = [_copy(value)]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        parent, key = _place(rng, root)
        edit = rng.randrange(5)
        old = parent[key]
        if edit == 0 and isinstance(parent, dict):
            del parent[key]
        elif edit == 1 and isinstance(parent, dict):
            parent[rng.choice(("", "kind", "x", "\ud800", key + "'"))] = old
        elif edit == 1 and parent is not root:
            parent[key:key] = [_copy(old)] * rng.choice((1, 1, 3))
        elif edit == 2 and parent is not root and isinstance(parent, list):
            del parent[key]
        elif edit == 3:
            other, at = _place(rng, root)
            parent[key] = _copy(other[at])
        elif isinstance(old, int | float) and rng.random() < 0.5 and old == old:
            parent[key] = old + rng.choice((-1, 1, 0.5, 1000)) if abs(old) < 2**60 else -old
        else:
            parent[key] = _copy(rng.choice(VALUES))
    return root[0]


def _place(rng, root):
    """Return parent and key of a node, without listing all: a step down at a time."""
    node, key = root, 0
    while node[key] and isinstance(node[key], dict | list) and rng.random() < 0.93:
        node = node[key]
        keys = list(node) if isinstance(node, dict) else range(len(node))
        tried = rng.choice(keys), rng.choice(keys)  # what has nodes below it is likelier
        key = max(tried, key=lambda k: isinstance(node[k], dict | list))
    return node, key


def _copy(value):
    return pickle.loads(pickle.dumps(value))  # five times as fast as `copy.deepcopy`

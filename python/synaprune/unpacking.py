"""What may come out of a file from a stranger: sizes are bounded before memory is taken for them.

A file may ask for `PLENTY` bytes, or for `RATIO` times its own size if that is more. Nothing is
ever unpickled, and no member of an archive becomes a file.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import math
import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Container
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

PLENTY = 2**26
RATIO = 100
_DICTIONARY = 2**28  # bytes that xz may keep; its strongest preset keeps 2**26
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_DAMAGED = (EOFError, OSError, ValueError, MemoryError, zlib.error, lzma.LZMAError)
_DAMAGED_ZIP = (*_DAMAGED, zipfile.BadZipFile, RuntimeError, NotImplementedError, LookupError)


def most(packed: int) -> int:
    """Return how many bytes a file of so many bytes may ask for."""
    return max(PLENTY, RATIO * packed)


def check_size(size: int, packed: int, remedy: str) -> None:
    """Raise a ValueError if content of a file asks for too much memory.

    Parameters
    ----------
    size : int
        Bytes that are asked for.
    packed : int
        Bytes of the file.
    remedy : str
        What a user can do about it.
    """
    if size > most(packed):
        raise ValueError(
            f"a file of {packed} bytes may become {most(packed)}, but would become "
            f"{'more' if size == most(packed) + 1 else size}; {remedy}"
        )


def check_memory(size: int, remedy: str) -> None:
    """Raise a ValueError if something needs more memory than is free, where that is known.

    Parameters
    ----------
    size : int
        Bytes, about.
    remedy : str
        What a user can do about it.
    """
    free = free_memory()
    if free is not None and size > free:
        raise ValueError(
            f"this takes about {size / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; "
            f"{remedy}"
        )


def free_memory() -> int | None:
    """Return the bytes that the system, and the group of processes, have left; None if unknown."""
    left = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                left.append(1024 * int(line.split()[1]))
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            left.append(int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        pass  # another system, or no such group
    return min(left, default=None)


def read_file(path: Path) -> bytes:
    """Return a file's bytes; raises an OSError, also of a device, which may never end."""
    with path.open("rb") as file:
        if stat.S_ISCHR(os.fstat(file.fileno()).st_mode) and not file.isatty():
            raise OSError("is a device and no file")
        return file.read()


def is_compressed(content: bytes) -> bool:
    """Return whether content begins as gzip, bzip2 or xz do."""
    return content.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))


def unpack(content: bytes) -> bytes:
    """Return what gzip, bzip2 or xz have compressed, or raise a ValueError that tells why not."""
    enough = most(len(content)) + 1
    try:
        if content.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                inner = file.read(enough)
        else:
            inner = _streams(content, enough)
    except _DAMAGED as error:
        raise ValueError(f"a damaged compressed file ({error})") from None
    check_size(len(inner), len(content), "unpack it first")
    return inner


def _streams(content: bytes, enough: int) -> bytes:
    """Return what one or more streams of bzip2 or xz hold, one after another, up to a size."""
    parts: list[bytes] = []
    bzip = content.startswith(b"BZh")
    while content and enough > 0:
        stream: Any = (
            bz2.BZ2Decompressor()
            if bzip
            else lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DICTIONARY)
        )
        parts.append(stream.decompress(content, enough))
        enough -= len(parts[-1])
        if not stream.eof and enough > 0:
            raise EOFError("it ends too early")
        content = stream.unused_data.lstrip(b"\0")  # xz pads with zeros
    return b"".join(parts)


def zip_members(file: BinaryIO, wanted: Container[str] | None = None) -> dict[str, bytes]:
    """Return members of a zip archive by name.

    Parameters
    ----------
    file : binary file object
        Seekable.
    wanted : container of str, optional
        Names of the members to read; all but folders if left out. Of others the content is empty.

    Raises
    ------
    ValueError
        If it is no whole archive, has two members of one name, or would become too large.
    """
    packed = file.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(file) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            names = Counter(info.filename for info in infos)
            if repeated := [name for name, n in names.items() if n > 1]:
                raise ValueError(f"it has two members {repeated[0]!r:.60}")
            chosen = [i for i in infos if wanted is None or i.filename in wanted]
            check_size(sum(info.file_size for info in chosen), packed, "unpack it first")
            members = dict.fromkeys(names, b"")
            for info in chosen:
                with archive.open(info) as member:  # a size, or zipfile reads on without a bound
                    members[info.filename] = member.read(info.file_size + 1)
                    if len(members[info.filename]) != info.file_size or member.read(1):
                        raise ValueError(f"{info.filename!r:.60} is truncated")
    except _DAMAGED_ZIP as error:
        raise ValueError(f"a zip archive that cannot be read ({error})") from None
    return members


def npy_array(content: bytes) -> NDArray[Any]:
    """Return the array of a ``.npy`` file, read-only, without copying its numbers.

    Raises
    ------
    ValueError
        If it is none, holds objects or records, or its header and its size do not fit each other.
    """
    stream = io.BytesIO(content)
    try:
        read_header = _NPY_HEADERS[np.lib.format.read_magic(stream)]
        shape, fortran, dtype = read_header(stream)
    except Exception as error:  # numpy parses the header as a Python literal, with its errors
        raise ValueError(f"no array of numpy.save ({error})") from None
    if dtype.hasobject:
        raise ValueError("objects are not read, since allow_pickle=False: they may run any code")
    if dtype.kind not in "biufcmMSU" or dtype.itemsize == 0 or dtype.shape:
        raise ValueError(f"an array of {dtype!s:.60}, which is not read")
    start = stream.tell()
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size != len(content) - start:
        raise ValueError(f"an array of shape {shape!s:.60} has {len(content) - start} bytes")
    array = np.frombuffer(content, dtype, offset=start)
    if dtype.kind == "U" and (array.view(dtype.byteorder + "u4") > 0x10FFFF).any():
        raise ValueError("an array of strings with characters that there are not")
    return array.reshape(shape, order="F" if fortran else "C")


def parse_json(text: str | bytes, *, constants: bool = False, most_bits: int | None = None) -> Any:
    """Return the values of a JSON text.

    Parameters
    ----------
    text : str or bytes
    constants : bool
        Whether NaN and the infinities may stand for numbers, as Python writes them.
    most_bits : int, optional
        The most bits of an int, if there is a bound.

    Raises
    ------
    ValueError
        If it is no JSON, is nested too deeply, an object has a key twice, or an int is too large.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated = ", ".join(f"{key!r:.60}" for key, n in counts.items() if n > 1)
            raise ValueError(f"an object has several {repeated:.200}")
        return made

    def constant(name: str) -> float:
        if not constants:
            raise ValueError(f"JSON has no number {name}")
        return float(name)

    bound = math.inf if most_bits is None else most_bits

    def bounded(digits: str) -> int:
        number = int(digits)
        if number.bit_length() > bound:
            raise ValueError(f"an int has more than {most_bits} bits: {digits:.30}")
        return number

    try:
        return json.loads(
            text,
            object_pairs_hook=unique,
            parse_constant=constant,
            parse_int=None if most_bits is None else bounded,  # a call for each int takes time
        )
    except RecursionError as error:
        raise ValueError(f"it is nested too deeply ({error})") from None

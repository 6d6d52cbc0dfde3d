"""Model files: plain state in, plain state out, in one ``.npz`` without pickle.

A file is a zip of ``.npy`` members and one ``header.json``. It holds nothing of time, machine,
threads or paths, so that equal runs give equal bytes. It is written beside its target and then
renamed, so that a full disk or a killed process leaves the old file whole.

Format 2 holds the optimiser's state of each network. Format 1 lacks it, and is refused.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import secrets
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import shown
from synaprune.unpacking import most, npy_array, parse_json, read_file, zip_members

FORMAT = 2
_HEADER = "header.json"
_INT_BITS = 128  # those of the states of numpy's generators, which checkpoints hold
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's zero


class ModelFileError(ValueError):
    """A file that is not a whole, unaltered synaprune model."""


def check_target(path: str | os.PathLike[str]) -> Path:
    """Return the file that is to be written, or raise an OSError if it cannot be one."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a string or a path, got {shown(path)}")
    target = Path(os.path.realpath(path))  # a link stays a link
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder of {target} does not exist")
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder")
    if target.exists() and not target.is_file():
        raise OSError(f"{target} is no regular file, and would be replaced by one")
    return target


def write_atomically(path: str | os.PathLike[str], content: bytes, *, beside: str = "") -> None:
    """Write a file whole or not at all: beside the target first, then renamed over it.

    File and folder are on disk when this returns. A file that is replaced leaves its mode to the
    new one, and a link stays a link.

    Parameters
    ----------
    path : path-like
    content : bytes
    beside : str, optional
        What the file is called until it is whole; an older one of that name, as a killed process
        leaves it, is replaced. A random name if left out.
    """
    target = check_target(path)
    new = target.with_name(beside or f".{target.name}.{secrets.token_hex(4)}")
    if beside:
        new.unlink(missing_ok=True)
    try:
        with new.open("xb") as file:
            if target.exists() and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """See to it that a rename outlasts a power cut, where the system can do that for a folder."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders, and a folder may be writable but not readable
        return
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot
            raise
    finally:
        os.close(opened)


def write_model(
    path: str | os.PathLike[str],
    header: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    *,
    compress: bool = True,
    beside: str = "",
) -> None:
    """Write a header of JSON values and named arrays as a model file.

    Parameters
    ----------
    path : path-like
    header : mapping
    arrays : mapping of str to ndarray
    compress : bool
        Whether to make the file small, which takes longer.
    beside : str, optional
        As in `write_atomically`.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    OSError
        If the file cannot be written; an older file of that name is then unchanged.
    """
    members = {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    full = {"format": FORMAT, **header}
    full["sha256"] = _digest(full, members)
    members[_HEADER] = _json(full)
    content = _zipped(members, zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
    if compress and sum(map(len, members.values())) > most(len(content)):
        content = _zipped(members, zipfile.ZIP_STORED)  # `read_model` would refuse the other
    write_atomically(path, content, beside=beside)


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read back what `write_model` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If the file is no synaprune model, is truncated or altered, is of another format, or would
        take memory out of proportion to its size.
    """
    try:
        content = read_file(Path(path))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    try:
        members = zip_members(io.BytesIO(content))
        header = parse_json(members.pop(_HEADER), constants=True, most_bits=_INT_BITS)
        known = header["format"] == FORMAT
        whole = not known or header.pop("sha256") == _digest(header, members)
        arrays = {
            name.removesuffix(".npy"): npy_array(data)
            for name, data in members.items()
            if known and whole
        }
    except Exception as error:  # a member misses, or is of another type than it should be
        raise ModelFileError(
            f"{path} is not a synaprune model file, or is truncated or altered "
            f"({type(error).__name__}: {error})"
        ) from error
    if not known:
        raise ModelFileError(
            f"{path} has model format {shown(header['format'])}, this version reads format "
            f"{FORMAT} alone"
        )
    if not whole:
        raise ModelFileError(f"{path} is altered: its checksum does not match its content")
    return header, arrays


def below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with the prefix, by the rest of their names."""
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _zipped(members: Mapping[str, bytes], compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), members[name], compression)
    return buffer.getvalue()


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _json(header: Mapping[str, Any]) -> bytes:
    text = json.dumps(header, sort_keys=True, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")  # as `json.loads` decodes; names may be odd


def _digest(header: Mapping[str, Any], members: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256(_json(header))
    for name in sorted(members):
        digest.update(name.encode() + b"\0" + members[name])
    return digest.hexdigest()

"""Folders and free disk of this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from superconv_tune.core.errors import UserError

GIB = 2**30
MOUNTS = Path("/proc/self/mounts")
# Where locks are those of a server, of each machine, or of nobody.
NETWORK = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "afs", "9p", "virtiofs",
    "orangefs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.gcsfuse", "fuse.s3fs", "fuse.beegfs",
}  # fmt: skip


def nearest_folder(path: Path) -> Path:
    """The path itself if it is a folder, else the nearest existing folder above it."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())


def is_writable(folder: Path) -> bool:
    """Whether files can be created in the folder, or the folder itself where there is none yet."""
    try:
        nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    except OSError:  # a folder above it cannot be entered
        return False


def require_writable(folder: Path, option: str = "--output") -> None:
    """Refuse a folder that cannot be written, before the work whose results are to go there.

    Raises:
        UserError: if files cannot be created in it; ``option`` names another one.
    """
    if not is_writable(folder):
        raise UserError(f"{option}: {folder} cannot be written. Choose another folder.")


def free_disk(folder: Path) -> int:
    """Free bytes on the disk of this folder."""
    return shutil.disk_usage(nearest_folder(folder)).free


def filesystem(path: Path, mounts: Path = MOUNTS) -> str:
    """The kind of file system that the path is on, such as ``ext4`` or ``nfs4``; empty if the system does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    place = nearest_folder(path).resolve()
    found = {Path(point.encode().decode("unicode_escape")): kind for _, point, kind, *_ in map(str.split, lines)}
    return next((found[folder] for folder in (place, *place.parents) if folder in found), "")

"""A user's code as text: found on the driver, sent to every worker, and run there with errors reported in one line."""

from __future__ import annotations

import ast
import atexit
import hashlib
import importlib
import importlib.util
import os
import re
import sys
import sysconfig
import traceback
import types
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked
from superconv_tune.data.scratch import scratch

OURS = f"{Path(__file__).parents[1]}{os.sep}"
LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), OURS)
REPORT = "This is a fault of superconv_tune, and not of your files: please report it."
WRAPPED = "Original Traceback (most recent call last):"  # torch's words around an error of a DataLoader's worker
WORKER_FRAME = re.compile(r'File "(.+)", line (\d+)')
CALLED = 2  # a shorter traceback means that the call itself failed, because of its arguments


@dataclass(frozen=True)
class Source:
    """Where a factory is: in the text of a file, which is sent to the workers, or in an installed module.

    Attributes:
        function: name of the function.
        module: name of the installed module; empty for a file.
        text: text of the file; empty for a module.
        file: path of the file, for messages.
        helpers: name, path and text of the modules in the file's folder that it imports, directly or indirectly.
    """

    function: str
    module: str = ""
    text: str = ""
    file: str = ""
    helpers: tuple[tuple[str, str, str], ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the code; of the name of an installed module."""
        texts = [text for _, _, text in self.helpers]
        return hashlib.sha256("\0".join([self.text or self.module, *texts]).encode()).hexdigest()

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of every file of the code, by its name; of an installed module, the file that defines it."""
        if not self.file:
            found = importlib.util.find_spec(self.module)
            origin = Path(found.origin) if found is not None and found.origin else None
            return {self.module: _sha256(origin.read_bytes())} if origin is not None and origin.is_file() else {}
        files = [(self.file, self.text), *((path, text) for _, path, text in self.helpers)]
        return {Path(file).name: _sha256(text.encode()) for file, text in files}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def locate(factory: str, folder: Path) -> Source:
    """The source behind ``file.py:function`` (relative to ``folder``) or ``module:function``.

    Modules that the file imports from its own folder are sent with it if each is one file; a package is not, and has to
    be installed where the workers run.

    Raises:
        UserError: if the file, or one beside it that it imports, cannot be read.
    """
    place, _, function = factory.rpartition(":")
    if not place.endswith(".py"):
        return Source(function, module=place)
    path = Path(place) if Path(place).is_absolute() else folder / place
    text = _read(path, factory)
    helpers: dict[str, tuple[str, str]] = {}
    _gather(text, path, factory, helpers)
    return Source(
        function, text=text, file=str(path), helpers=tuple((name, *found) for name, found in sorted(helpers.items()))
    )


def call(source: Source, args: Mapping[str, Any]) -> Any:
    """Import the source and call its function.

    Raises:
        UserError: if either fails, with the error's first line and its place in the user's file.
    """
    try:
        module = _from_text(source) if source.file else importlib.import_module(source.module)
    except (Exception, SystemExit) as error:  # a script that exits must not end the search without a message
        fix = _import_fix(error, source)
        raise UserError(
            f"factory {_shown(source)} cannot be imported: {describe_error(error, source)}.{fix}"
        ) from error
    function = getattr(module, source.function, None)
    if not callable(function):
        raise UserError(f"factory {_shown(source)}: it has no function {source.function!r}. {_functions(module)}")
    try:
        return function(**args)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        fix = _import_fix(error, source) or _call_fix(error, args)
        raise UserError(f"factory {_shown(source)} failed: {describe_error(error, source)}.{fix}") from error


def describe_error(error: BaseException, source: Source | None = None) -> str:
    """Type and first line of the error, and the innermost line of the user's own files that led to it."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
    place = users_line(error, source)
    return first_line(error) + (f" ({place})" if place else "")


def users_line(error: BaseException, source: Source | None = None) -> str:
    """The innermost line of the user's own code that led to an error; empty if there is none, so that it may be ours.

    Any file is the user's that is neither Python's, nor an installed package's, nor ours, a notebook's cell too.
    """
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    frames += [(file, int(line)) for file, line in WORKER_FRAME.findall(str(error))] if _is_workers(error) else []
    named = _named(source)
    users = [(file, line) for file, line in frames if file in named or not _is_library(file)]
    return f"{users[-1][0]}, line {users[-1][1]}" if users else ""


def is_ours(error: BaseException) -> bool:
    """Whether an error comes from our own lines; by a ValueError they say what is wrong with what they were given."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(OURS) and not isinstance(error, ValueError)


def _named(source: Source | None) -> set[str | None]:
    """The files of a source, even those of an installed module."""
    if source is None:
        return set()
    module = sys.modules.get(source.module)
    return {source.file or getattr(module, "__file__", None), *(path for _, path, _ in source.helpers)}


def _is_library(file: str) -> bool:
    parts = Path(file).parts
    is_installed = any(part in ("site-packages", "dist-packages") for part in parts)
    return is_installed or file.startswith(("<frozen ", "<string>", "<__array", *LIBRARIES))


def _is_workers(error: BaseException) -> bool:
    """Whether a DataLoader's worker process wrapped the error, whose traceback then is in its message."""
    return WRAPPED in str(error)


def first_line(error: BaseException) -> str:
    """Type and first line of an error, such as ``ValueError: the message``."""
    text = masked(str(error).strip())
    if _is_workers(error):
        return text.splitlines()[-1].strip().rstrip(".")
    text = text.partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


# A module of the user's as it is found by name, in this process and in those that it starts: the text runs as if it
# stood in the user's own file. What a file defines can be pickled, because another process can import it.
_STUB = "__file__ = {file!r}\nexec(compile({text!r}, __file__, 'exec', dont_inherit=True))\n"
_OFFERED = ExitStack()  # holds the folder of the stubs, which the next process sweeps if this one is killed
atexit.register(_OFFERED.close)


def _from_text(source: Source) -> types.ModuleType:
    """The user's file as a module."""
    name = f"superconv_tune_user_{source.digest[:16]}"
    _offer([(name, source.file, source.text), *source.helpers])
    return importlib.import_module(name)


def _offer(modules: Sequence[tuple[str, str, str]]) -> None:
    """Let these modules (name, path, text) be imported; one of the same name, but with another text, is forgotten.

    Their folder is searched last, so that they shadow no installed module.
    """
    folder = _folder()
    for name, path, text in modules:
        stub, content = folder / f"{name}.py", _STUB.format(file=path, text=text)
        if not stub.exists() or stub.read_text(encoding="utf-8") != content:
            stub.write_text(content, encoding="utf-8")
            Path(importlib.util.cache_from_source(stub)).unlink(missing_ok=True)  # told apart by second and size only
            if getattr(getattr(sys.modules.get(name), "__spec__", None), "origin", None) == str(stub):
                del sys.modules[name]
    importlib.invalidate_caches()


@cache
def _folder() -> Path:
    folder = _OFFERED.enter_context(scratch())
    sys.path.append(str(folder))
    return folder


def _read(path: Path, factory: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # editors on Windows write a mark of the encoding first
    except OSError as error:
        raise UserError(f"factory: {factory!r}: the file {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UserError(f"factory: {factory!r}: the file {path} is not UTF-8 text ({error.reason}).") from error


def _gather(text: str, path: Path, factory: str, helpers: dict[str, tuple[str, str]]) -> None:
    """Add to ``helpers`` the modules in the folder of ``path`` that ``text`` imports, directly or indirectly."""
    for name in sorted(_imported(text)):
        file = path.with_name(f"{name}.py")
        if name not in helpers and file != path and file.is_file():
            helpers[name] = (str(file), _read(file, factory))
            _gather(helpers[name][1], path, factory, helpers)


def _imported(text: str) -> set[str]:
    """Top-level names of the modules that a text imports; none if it is not Python, which is reported later."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        return set()
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in names}


def _import_fix(error: BaseException, source: Source) -> str:
    """What to do about a missing module; empty for other errors."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    name = error.name.partition(".")[0]
    if source.file and Path(source.file).with_name(name).is_dir():
        return (
            f" The folder {name} is next to the file, but only single files are sent to workers: put what is needed "
            f"into {name}.py, or install the package on every node."
        )
    return f" Install it where the search runs: pip install {name}; or put {name}.py next to the file."


def _call_fix(error: BaseException, args: Mapping[str, Any]) -> str:
    """What to do if the function does not take the arguments that it was given; empty for other errors."""
    frames = traceback.extract_tb(error.__traceback__)
    if not isinstance(error, TypeError) or len(frames) >= CALLED:
        return ""
    return f" It was called with {', '.join(args) or 'no arguments'}; its arguments are set in the spec under args."


def _functions(module: types.ModuleType) -> str:
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return f"It defines: {', '.join(own) or 'nothing'}."


def _shown(source: Source) -> str:
    return f"{source.file or source.module}:{source.function}"

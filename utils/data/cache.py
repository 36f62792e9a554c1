"""Files of installed packages, and a cache of what was parsed out of them.

Parsed data is kept in a cache directory (`cache_dir`) with a digest beside it; a damaged cache file is
noticed and made again. What is whole is read without a lock: a cache that cannot be written can be read.
"""

import contextlib
import hashlib
import importlib.util
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_dir
from safetensors.torch import load, save
from torch import Tensor

CACHE_VARIABLE = "COURSE_CACHE"


@contextlib.contextmanager
def _saying_what_to_do(folder: Path) -> Iterator[None]:
    """An error of the file system, of the same kind, in words that name the variable."""
    try:
        yield
    except OSError as error:
        remedy = f"set {CACHE_VARIABLE} to a folder that you may write to"
        problem = f"the cache cannot be used ({error.strerror or error}): {remedy}"
        raise OSError(error.errno, problem, str(folder)) from error


def cache_dir() -> Path:
    """Where parsed data is kept: ``COURSE_CACHE``, or the user's cache directory. It is made if need be.

    Raises:
        OSError: if it is not there and cannot be made, or something else has that name.
    """
    path = Path(os.environ.get(CACHE_VARIABLE) or user_cache_dir("from-a-line-to-bert", appauthor=False))
    with _saying_what_to_do(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def package_file(package: str, relative: str) -> Path:
    """Path of a data file inside an installed package, found without importing the package.

    Raises:
        FileNotFoundError: if the package or the file is not there.
    """
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (Path(folder) / relative).is_file():
            return Path(folder) / relative
    missing = f"file {relative} in package {package!r}" if folders else f"package {package!r}"
    raise FileNotFoundError(f"there is no {missing}; requirements.txt names what the course needs")


def _whole(path: Path) -> bytes | None:
    """Content of a cache file if it is there with its digest and the two agree."""
    try:
        content, digest = path.read_bytes(), path.with_suffix(".sha256").read_bytes()
    except FileNotFoundError:
        return None
    return content if hashlib.sha256(content).hexdigest().encode() == digest else None


def _write(path: Path, content: bytes) -> None:
    """The digest, then the file, which takes its name when it is complete. Modes are the umask's."""
    part = path.with_suffix(".part")
    try:
        part.write_bytes(content)
        path.with_suffix(".sha256").write_text(hashlib.sha256(content).hexdigest())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def cached(
    name: str, source: Path | Sequence[Path], build: Callable[..., dict[str, Tensor]]
) -> dict[str, Tensor]:
    """The tensors that ``build(source)`` makes, from the cache if they are there whole.

    Args:
        name: file name in the cache, without suffix; the digest of the source is added, so that another
            version of a package gets a file of its own.
        source: the file that the tensors are made from, or several: then ``build(*source)`` makes them.
        build: called once, then again only if the cached file was damaged.

    Raises:
        OSError: if the cache cannot be read, or is not whole and cannot be written.
    """
    sources = [source] if isinstance(source, Path) else source
    key = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:12]
    path = cache_dir() / f"{name}-{key}.safetensors"
    with _saying_what_to_do(path.parent):
        content = _whole(path)
        if content is not None:
            return load(content)
        held = FileLock(path.with_suffix(".lock")).acquire()
    with held:
        content = _whole(path)  # by now another process may have made it
        if content is None:
            if path.exists() and path.with_suffix(".sha256").exists():
                names = ", ".join(file.name for file in sources)
                warnings.warn(f"{path} does not match its digest: made again from {names}", stacklevel=3)
            content = save(build(*sources))
            with _saying_what_to_do(path.parent):
                _write(path, content)
    return load(content)

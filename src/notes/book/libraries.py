"""The libraries that the book's pages carry with them, from npm: fetched as packages, verified, and taken apart.

Nothing of a package is installed or run here.
"""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from notes.files import UserError, write_bytes

SECONDS = 300


@dataclass(frozen=True)
class Library:
    """A package of npm at one version: the SHA-256 of its archive, and the files (patterns) that are kept of it."""

    name: str
    version: str
    sha256: str
    files: tuple[str, ...]


LIBRARIES = (
    Library(
        "onnxruntime-web",
        "1.30.0",
        "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
        (
            "package/dist/ort.wasm.min.mjs",
            "package/dist/ort-wasm-simd-threaded.mjs",
            "package/dist/ort-wasm-simd-threaded.wasm",
            "package/README.md",
        ),
    ),
    # The version whose formulas sphinxcontrib-katex writes.
    Library(
        "katex",
        "0.16.22",
        "e9e0d167db3175481cbadaff38e8d90b130f6a3ddb451a47e43c577fd511f365",
        ("package/dist/katex.min.css", "package/dist/fonts/*.woff2", "package/LICENSE"),
    ),
    # Not in the pages; it looks for what keeps readers out of them.
    Library(
        "axe-core",
        "4.14.1",
        "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
        ("package/axe.min.js", "package/LICENSE"),
    ),
)


def fetch(library: Library, target: Path) -> None:
    """Write the library's files into `target`, without the folders `package` and `dist`.

    Raises UserError when npm is missing or fails, and when the archive is another than the one that was looked at.
    """
    if not shutil.which("npm"):
        raise UserError("npm is missing: the book's pages carry libraries that it fetches; install Node.js with npm.")
    with tempfile.TemporaryDirectory(prefix="notes-") as scratch:
        what = f"{library.name}@{library.version}"
        try:
            subprocess.run(
                ["npm", "pack", what, "--ignore-scripts", "--loglevel=error"],
                cwd=scratch,
                check=True,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise UserError(f"npm did not fetch {what} within {SECONDS} s: try again on a faster network.") from None
        except subprocess.CalledProcessError as error:
            raise UserError(f"npm could not fetch {what}: {' '.join(error.stderr.split())[:300]}") from None
        (archive,) = Path(scratch).glob("*.tgz")
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != library.sha256:
            raise UserError(f"{what} has the SHA-256 {found[:12]}…, expected {library.sha256[:12]}…: do not use it.")
        unpack(archive, library, target)


def unpack(archive: Path, library: Library, target: Path) -> None:
    """Write the files of an archive that the library keeps; raise UserError when a pattern of it finds none."""
    missing = set(library.files)
    with tarfile.open(archive) as packed:
        for member in packed:
            path = PurePosixPath(member.name)
            kept = {pattern for pattern in library.files if path.match(pattern)} if member.isfile() else set()
            if kept and (content := packed.extractfile(member)):
                missing -= kept
                inside = [part for part in path.parts[1:] if part not in ("dist", "..")]
                write_bytes(target.joinpath(*inside), content.read())
    if missing:
        raise UserError(f"{library.name} {library.version} has no {', '.join(sorted(missing))}.")

"""The libraries of the book's pages: only the archive that was looked at, and of it only what is kept."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from notes.book.libraries import LIBRARIES, Library, fetch
from notes.files import UserError


def archive(path: Path, files: dict[str, bytes]) -> str:
    """Write an archive as npm packs one; return its SHA-256."""
    with tarfile.open(path, "w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An npm that packs one archive, whatever it is asked for; return where the archive is."""
    program = tmp_path / "bin/npm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ntest "$1" = pack && cp "{tmp_path}/package.tgz" .\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "package.tgz"


def test_the_files_that_are_kept_are_written_without_the_archives_folders(npm: Path, tmp_path: Path) -> None:
    files = {"package/dist/a.js": b"a", "package/dist/fonts/b.woff2": b"b", "package/README.md": b"c"}
    library = Library("letters", "1.0.0", archive(npm, files), ("package/dist/a.js", "package/dist/fonts/*.woff2"))
    fetch(library, tmp_path / "letters")
    found = {path.relative_to(tmp_path / "letters").as_posix() for path in (tmp_path / "letters").rglob("*.*")}
    assert found == {"a.js", "fonts/b.woff2"}


def test_another_archive_is_refused_and_nothing_is_written(npm: Path, tmp_path: Path) -> None:
    archive(npm, {"package/a.js": b"something else"})
    with pytest.raises(UserError, match=r"letters@1.0.0 has the SHA-256 \w+…, expected 0000"):
        fetch(Library("letters", "1.0.0", "0" * 64, ("package/a.js",)), tmp_path / "letters")
    assert not (tmp_path / "letters").exists()


def test_a_file_that_the_archive_lacks_is_named(npm: Path, tmp_path: Path) -> None:
    library = Library("letters", "1.0.0", archive(npm, {"package/a.js": b"a"}), ("package/a.js", "package/b.js"))
    with pytest.raises(UserError, match=r"letters 1.0.0 has no package/b.js"):
        fetch(library, tmp_path / "letters")


def test_without_npm_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"npm is missing: .* install Node.js"):
        fetch(LIBRARIES[0], tmp_path / "library")


def test_what_npm_says_is_passed_on(npm: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"npm could not fetch onnxruntime-web@"):
        fetch(LIBRARIES[0], tmp_path / "library")

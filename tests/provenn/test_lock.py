"""dvc.lock of any shape as plain values: what DVC wrote is what Provenn reads, whoever wrote it and when."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from repository import Repository

from provenn.contents import Contents
from provenn.definitions import read_stages
from provenn.files import UserError
from provenn.lock import read_lock


def md5(content: str) -> str:
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()


class Tagging(SimpleHTTPRequestHandler):
    """A web server that gives each file an etag, as the large ones do."""

    def end_headers(self) -> None:
        self.send_header("ETag", '"version-1"')
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address on loopback at which it is served."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = HTTPServer(("127.0.0.1", 0), partial(Tagging, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_stage_that_works_in_a_folder_has_paths_from_the_root(repository):
    repository.write("work/in.txt", "1\n")
    repository.define({"copy": {"cmd": "cp in.txt out.txt", "wdir": "work", "deps": ["in.txt"], "outs": ["out.txt"]}})
    repository.dvc_here("repro")
    entry = read_lock(repository.root)["copy"]
    assert (entry.deps, entry.outs) == ({"work/in.txt": md5("1\n")}, {"work/out.txt": md5("1\n")})


def test_stages_of_folders_are_named_as_dvc_names_them_from_the_root(repository):
    repository.define({"train": {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}})
    repository.write("book/dvc.yaml", {"stages": {"train": {"cmd": "echo 2 > a.txt", "outs": ["a.txt"]}}})
    repository.write("book/raw.csv", "1\n")
    repository.dvc_here("add", "--quiet", "raw.csv", folder="book")
    repository.dvc_here("repro", folder="book")
    assert read_lock(repository.root).keys() == {"book/dvc.yaml:train", "book/raw.csv.dvc"}
    repository.dvc_here("repro")
    entries = read_lock(repository.root)
    listed = repository.dvc_here("stage", "list", "--all", "--name-only").split()
    assert sorted(entries) == sorted(listed)
    assert [entries[name].outs for name in ("train", "book/dvc.yaml:train")] == [
        {"a.txt": md5("1\n")},
        {"book/a.txt": md5("2\n")},
    ]


def test_a_list_of_commands_is_one_command_of_several_lines(repository):
    repository.define({"two": {"cmd": ["echo 1 > a.txt", "echo 2 > b.txt"], "outs": ["a.txt", "b.txt"]}})
    repository.dvc_here("repro")
    assert read_lock(repository.root)["two"].command == "echo 1 > a.txt\necho 2 > b.txt"


def test_parameters_come_from_files_of_every_kind(repository):
    repository.write("params.yaml", "train: {rate: 1e-3}\nseed: 1\n")
    repository.write("a.json", {"deep": {"er": [1, 2]}, "other": 0})
    repository.write("b.toml", "x = 1.5\n[part]\ny = 'text'\n")
    repository.write("c.py", "SIZE = 3\nclass Train:\n    RATE = 0.5\n")
    params = ["seed", "train.rate", {"a.json": ["deep.er"]}, {"b.toml": None}, {"c.py": ["SIZE", "Train.RATE"]}]
    repository.define({"train": {"cmd": "echo 1 > o", "params": params, "outs": ["o"]}})
    repository.dvc_here("repro")
    assert read_lock(repository.root)["train"].settings() == {
        "seed": 1,
        "rate": 0.001,
        "a.json:deep.er": [1, 2],
        "b.toml:x": 1.5,
        "b.toml:part.y": "text",
        "c.py:SIZE": 3,
        "c.py:Train.RATE": 0.5,
    }


def test_only_the_own_section_of_the_parameters_goes_without_its_name(repository):
    repository.write("params.yaml", "train: {rate: 1}\ntrain_more: {rate: 2}\nrate: 3\n")
    params = ["train", "train_more", "rate"]
    repository.define({"train": {"cmd": "echo 1 > o", "params": params, "outs": ["o"]}})
    repository.dvc_here("repro")
    assert read_lock(repository.root)["train"].settings() == {"train.rate": 1, "train_more.rate": 2, "rate": 3}


def test_items_of_foreach_and_matrix_and_templates_are_stages_of_their_own(repository):
    repository.write("params.yaml", "names: {a: {n: 1}, b: {n: 2}}\nout: made\n")
    repository.write(
        "dvc.yaml",
        {
            "vars": [{"suffix": "txt"}],
            "stages": {
                "each": {
                    "foreach": "${names}",
                    "do": {"cmd": "echo ${item.n} > ${key}.${suffix}", "outs": ["${key}.${suffix}"]},
                },
                "grid": {
                    "matrix": {"x": [1, 2], "y": ["p"]},
                    "cmd": "echo ${item.x} > ${out}-${item.x}",
                    "outs": ["${out}-${item.x}"],
                },
            },
        },
    )
    repository.dvc_here("repro")
    made = {name: entry.outs for name, entry in read_lock(repository.root).items()}
    assert made == {
        "each@a": {"a.txt": md5("1\n")},
        "each@b": {"b.txt": md5("2\n")},
        "grid@1-p": {"made-1": md5("1\n")},
        "grid@2-p": {"made-2": md5("2\n")},
    }


def test_data_on_the_web_and_outside_the_repository_keep_their_address(repository, site, tmp_path):
    folder, address = site
    (folder / "web.csv").write_text("1\n")
    outside = tmp_path / "outside.csv"
    outside.write_text("2\n")
    repository.dvc_here("import-url", "--quiet", f"{address}/web.csv", "in.csv")
    repository.define({"use": {"cmd": "echo 1 > o", "deps": [f"{address}/web.csv", str(outside)], "outs": ["o"]}})
    repository.dvc_here("repro")
    entries = read_lock(repository.root)
    assert entries["use"].deps == {f"{address}/web.csv": '"version-1"', str(outside): md5("2\n")}
    assert entries["in.csv.dvc"].deps == {f"{address}/web.csv": '"version-1"'}
    assert entries["in.csv.dvc"].outs == {"in.csv": md5("1\n")}


def test_an_import_from_another_repository_is_known_by_its_commit(repository, empty_repository, tmp_path):
    other = empty_repository.copy(tmp_path / "other")
    other.write("data.csv", "1\n")
    other.dvc_here("add", "--quiet", "data.csv")
    commit = other.commit()
    repository.dvc_here("import", "--quiet", str(other.root), "data.csv", "--out", "here.csv")
    entry = read_lock(repository.root)["here.csv.dvc"]
    assert (entry.deps, entry.outs) == ({f"{other.root}/data.csv": commit}, {"here.csv": md5("1\n")})


def test_outputs_of_every_kind_have_their_digest(repository):
    outs = [{"kept": {"persist": True}}, {"plain.txt": {"cache": False}}, "folder"]
    command = "mkdir -p kept folder/deep; echo 1 > kept/a; echo 2 > plain.txt; echo 3 > folder/deep/b"
    repository.define(
        {
            "make": {"cmd": command, "outs": outs},
            "frozen": {"cmd": "false", "deps": ["plain.txt"], "outs": ["f.txt"], "frozen": True},
            "always": {"cmd": "date +%N > a.txt", "outs": ["a.txt"], "always_changed": True},
            "nothing": {"cmd": "true", "deps": ["plain.txt"]},
        }
    )
    repository.write("f.txt", "4\n")
    repository.dvc_here("repro")
    entries = read_lock(repository.root)
    assert entries["frozen"].outs == {"f.txt": md5("4\n")}  # never run: DVC records what lies there
    contents = Contents(repository.root, entries)
    assert contents.listing("folder", entries["make"].outs["folder"]) == {"deep/b": md5("3\n")}
    assert {contents.where(path, value) for path, value in entries["make"].outs.items()} == {"the working folder"}
    assert entries["nothing"].outs == {}


def test_a_stage_that_dvc_yaml_no_longer_has_is_left_out(repository):
    repository.define({name: {"cmd": f"echo 1 > {name}.txt", "outs": [f"{name}.txt"]} for name in ("a", "b")})
    repository.dvc_here("repro")
    repository.define({"a": {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}})
    assert list(read_lock(repository.root)) == ["a"]


def test_a_stage_that_has_never_run_has_a_definition_and_no_result(repository):
    repository.define({"a": {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}})
    assert read_lock(repository.root) == {}
    assert read_stages(repository.root)["a"].result == ""


def old_repository(repository: Repository, header: str) -> dict[str, str]:
    """Write what an earlier DVC left: its lock, and the cache with text digested as if it had Unix line ends."""
    content = "a,b\r\n1,2\r\n"
    old = md5(content.replace("\r\n", "\n"))
    listing = f'[{{"md5": "{old}", "relpath": "t.csv"}}]'
    digests = {"table.csv": old, "folder": md5(listing) + ".dir"}
    for digest, text in ((old, content), (digests["folder"], listing)):
        cached = repository.write(f".dvc/cache/{digest[:2]}/{digest[2:]}", text)
        cached.write_bytes(text.encode())
    repository.define({"make": {"cmd": "make it", "outs": ["table.csv", "folder"]}})
    indent = "  " if header else ""
    outs = "".join(f"{indent}  - path: {path}\n{indent}    md5: {digest}\n" for path, digest in digests.items())
    repository.write("dvc.lock", f"{header}{indent}make:\n{indent}  cmd: make it\n{indent}  outs:\n{outs}")
    return digests


def test_what_dvc_2_wrote_is_read_and_found_in_its_cache(repository):
    digests = old_repository(repository, "schema: '2.0'\nstages:\n")
    entries = read_lock(repository.root)
    assert entries["make"].outs == digests
    into = repository.root.parent / "into"
    contents = Contents(repository.root, entries)
    assert [lost for path, value in digests.items() for lost in contents.take(path, value, into)] == []
    assert {(into / path).read_bytes() for path in ("table.csv", "folder/t.csv")} == {b"a,b\r\n1,2\r\n"}
    shutil.copytree(into, repository.root, dirs_exist_ok=True)
    assert repository.dvc_here("status", "--quiet") == ""  # DVC itself agrees
    assert {contents.where(path, value) for path, value in digests.items()} == {"the working folder"}


def test_what_dvc_1_wrote_is_read_from_git_history(repository):
    digests = old_repository(repository, "")
    commit = repository.commit()
    assert read_lock(repository.root, commit)["make"].outs == digests
    with pytest.raises(UserError, match=r"dvc\.lock"):  # DVC 3 refuses it
        read_lock(repository.root)


def test_a_commit_is_read_like_the_working_folder(tmp_path):
    repository = Repository.make(tmp_path / "top", folder="projects/one")
    repository.write("params.yaml", "n: 1\n")
    repository.write("raw.csv", "1\n")
    repository.dvc_here("add", "--quiet", "raw.csv")
    stage = {"cmd": "cp raw.csv o", "deps": ["raw.csv"], "params": ["n"], "outs": ["o"]}
    repository.define({"copy": stage})
    repository.dvc_here("repro")
    now, commit = read_lock(repository.root), repository.commit()
    repository.write("dvc.yaml", "stages: {}\n")
    assert read_lock(repository.root, commit) == now

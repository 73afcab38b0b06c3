"""Reading params.yaml as DVC reads it. Stages take their section as it stands: `check_params` has checked it."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from notes.files import UserError

PARAMS_FILE = Path("params.yaml")


class Settings(SimpleNamespace):
    """The values of a section of params.yaml as attributes, a section inside it as Settings too; `vars` lists them."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Settings":
        """Return a mapping as Settings."""
        return cls(**{name: cls.of(value) if isinstance(value, dict) else value for name, value in values.items()})


def read_settings(*path: str, file: Path | str = PARAMS_FILE) -> Settings:
    """Return the section of params.yaml at `path`: read_settings("train_mlp", "mnist_mlp").

    Raises UserError, which lists the sections there are, when it is missing.
    """
    values = read_yaml(file)
    for depth, name in enumerate(path, start=1):
        sections = {key: value for key, value in values.items() if isinstance(value, dict)}
        if name not in sections:
            raise UserError(f"{file} has no {'.'.join(path[:depth])}: choose one of {', '.join(sections)}.")
        values = sections[name]
    return Settings.of(values)


def read_yaml(path: Path | str) -> Any:
    """Return what a YAML 1.2 file holds (`1e-3` is a number, `on` is text); raise UserError when it is not YAML."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 2)
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run from the repository's root, or restore it with git.") from None
    except MarkedYAMLError as error:
        place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{place} is not valid YAML: {' '.join(str(error.problem).split())}.") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply to be read: make it flatter.") from None
    except (YAMLError, ValueError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None

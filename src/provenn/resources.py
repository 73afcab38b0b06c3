"""What a stage needs of the machine that it runs on; engines pass it on, local processes do not look at it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provenn.files import UserError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class Resources(BaseModel):
    """The fields of `meta: provenn:` that say it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpus: Annotated[float, Field(gt=0)] | None = Field(
        None, description="cores, for --on; by default one place of a worker"
    )
    gpus: Annotated[float, Field(gt=0)] | None = Field(None, description="graphics processors, for --on")
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?([KMGT]i?)?B?$")] | None = Field(
        None, description="memory, for --on: `4 GB`, `512 MiB`"
    )
    platform: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]*$")] | None = Field(
        None, description="resource that a node must offer, for --on; by default what --platform names"
    )
    portable: bool = Field(
        False, description="the bytes are the same on every numeric platform, so --platform does not hold the stage"
    )

    @property
    def memory_bytes(self) -> int | None:
        """The memory in bytes."""
        if self.memory is None:
            return None
        number = self.memory.rstrip("KMGTiB ")
        return int(float(number) * _UNITS[self.memory[len(number) :].strip(" B")])


def resources_of(name: str, meta: Any) -> Resources:
    """Return what the `meta` of a stage declares; raise UserError when that is not understood."""
    declared = (meta.get("provenn") if isinstance(meta, dict) else None) or {}
    found = {field: declared[field] for field in Resources.model_fields if field in declared}
    return _checked(found, f"dvc.yaml, stage {name}: meta.provenn.")


def held_to(platform: str, resources: Resources) -> Resources:
    """Return the resources with the need for a numeric platform; those of a stage that names one, or is portable, stay.

    Raises UserError for what can be no name of one.
    """
    wanted = _checked({"platform": platform}, "--").platform
    return resources if resources.portable or resources.platform else resources.model_copy(update={"platform": wanted})


def _checked(fields: dict[str, Any], where: str) -> Resources:
    try:
        return Resources(**fields)
    except ValidationError as errors:
        first = errors.errors()[0]
        raise UserError(f"{where}{first['loc'][0]}: {first['msg']}.") from None

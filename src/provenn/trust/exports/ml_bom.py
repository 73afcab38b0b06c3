"""A bill of materials of models in CycloneDX: what each is made of, and which packages it was made with."""

import hashlib
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from provenn.entry import Entry, as_read
from provenn.trust.exports.commit import Commit, File

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])? *== *([^\s;#\\]+)", re.MULTILINE)


def write(commit: Commit, target: str | None) -> str:
    """Return the bill of all models, or of those that a stage, artifact or path holds, as JSON."""
    bill = _Bill(commit)
    for path in commit.models_of(target):
        bill.root_needs.append(bill.component_of(path, commit.models[path].outs.get(path, "")))
    for path in bill.locks:
        bill.root_needs += bill.packages_of(path)
    return bill.as_json()


class _Bill:
    """Components by their reference, each added once, and what each depends on."""

    def __init__(self, commit: Commit) -> None:
        self.commit = commit
        self.locks = [name for name in commit.names_in_git if fnmatch(name, "requirements*.lock")]
        self.root_needs: list[Component] = []
        self._components: dict[str, Component] = {}
        self._needs: dict[str, list[Component]] = {}
        self._cards: dict[str, dict[str, Any]] = {}

    def component_of(self, path: str, value: str) -> Component:
        """Return the component of a model or data set, which it adds with all that it depends on."""
        is_model = path in self.commit.models and self.commit.models[path].outs.get(path, value) == value
        reference = f"{'model' if is_model else 'data'}:{path}@{value}"
        if reference not in self._components:
            maker = self.commit.models[path] if is_model else self.commit.maker(path, value)
            self._components[reference] = self._new(reference, path, value, maker, is_model=is_model)
            self._needs[reference] = list(self._materials(maker)) if maker else []
            if is_model:
                self._cards[reference] = self._card(path, self._needs[reference])
        return self._components[reference]

    def packages_of(self, lock: str) -> list[Component]:
        """Return the packages that a lock of Python pins, which it adds."""
        found = []
        for name, version in PIN.findall(self.commit.in_git(lock) or ""):
            link = PackageURL("pypi", name=name, version=version)
            package = Component(name=name, version=version, purl=link, bom_ref=str(link))
            found.append(self._components.setdefault(str(link), package))
        return found

    def as_json(self) -> str:
        """Return the bill; its time and number are the commit's."""
        commit = self.commit
        root = Component(name="pipeline", version=commit.id, type=ComponentType.APPLICATION, bom_ref="pipeline")
        bom = Bom(
            components=self._components.values(),
            serial_number=uuid5(NAMESPACE_URL, f"git:{commit.id}:{','.join(self._components)}"),
            metadata=BomMetaData(component=root, timestamp=commit.time),
        )
        bom.register_dependency(root, self.root_needs)
        for reference, needed in self._needs.items():
            bom.register_dependency(self._components[reference], needed)
        bill = json.loads(JsonV1Dot6(bom).output_as_string())
        # The library has no model cards yet.
        for component in bill["components"]:
            if component["bom-ref"] in self._cards:
                component["modelCard"] = self._cards[component["bom-ref"]]
        return json.dumps(bill, indent=2, ensure_ascii=False) + "\n"

    def _materials(self, entry: Entry) -> Iterator[Component]:
        for path in sorted(entry.tracked):
            made = {out: maker.outs[out] for out, maker in as_read(entry, path, self.commit.entries).items()}
            for out, value in (made or {path: entry.deps[path]}).items():
                yield self.component_of(out, value)
        for lock in self.locks:
            if lock in entry.deps:
                yield from self.packages_of(lock)

    def _new(self, reference: str, path: str, value: str, maker: Entry | None, *, is_model: bool) -> Component:
        artifact = self.commit.artifact(path)
        files = self.commit.files(path) if is_model else self.commit.files_of(path, value)
        is_file = [file.path for file in files] == [path]
        properties = {"dvc:path": path, "dvc:digest": value, "git:commit": self.commit.id}
        if not is_file and files and all(file.sha256 for file in files):
            lines = "".join(f"{file.sha256}  {file.path.removeprefix(f'{path}/')}\n" for file in files)
            properties["in-toto:dirHash"] = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
        if maker:
            properties |= {"dvc:stage": maker.name, "dvc:command": maker.command}
            properties |= {f"dvc:parameter:{name}": json.dumps(v, default=str) for name, v in maker.settings().items()}
        return Component(
            name=artifact.name if artifact else path,
            type=ComponentType.MACHINE_LEARNING_MODEL if is_model else ComponentType.DATA,
            bom_ref=reference,
            description=(artifact.description if artifact else "") or (maker.description if maker else "") or None,
            hashes=_hashes(files[0]) if is_file else (),
            components=[_part(reference, file) for file in files] if is_model and not is_file else (),
            properties=[Property(name=name, value=text) for name, text in properties.items() if text],
        )

    def _card(self, path: str, needed: list[Component]) -> dict[str, Any]:
        data = [str(one.bom_ref.value) for one in needed if one.type == ComponentType.DATA]
        numbers = [
            {"type": metric.name, "value": repr(metric.value)} | ({"slice": metric.data} if metric.data else {})
            for metric in self.commit.metrics(path)
        ]
        return {
            "modelParameters": {"datasets": [{"ref": reference} for reference in data]},
            "quantitativeAnalysis": {"performanceMetrics": numbers},
        }


def _part(reference: str, file: File) -> Component:
    return Component(name=file.path, type=ComponentType.FILE, bom_ref=f"{reference}:{file.path}", hashes=_hashes(file))


def _hashes(file: File) -> list[HashType]:
    """Return the digests; DVC's is an MD5 but for what lies outside the repository."""
    known = {HashAlgorithm.MD5: file.digest if re.fullmatch("[0-9a-f]{32}", file.digest) else None}
    known[HashAlgorithm.SHA_256] = file.sha256
    return [HashType(alg=algorithm, content=content) for algorithm, content in known.items() if content]

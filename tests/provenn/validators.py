"""Run by an environment of its own: what the validators of others find wrong in the exports of the working folder.

roc-validator has the profiles in its package, but fetches the JSON-LD context of RO-Crate 1.1: it is given that of
the file named first, of a later version, in which the terms used here are the same.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from huggingface_hub import ModelCard
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

CONTEXT = Path(sys.argv[1]).read_text()


def get(_: Any, url: str, **_options: Any) -> Any:
    """Answer for the network."""
    assert url == "https://w3id.org/ro/crate/1.1/context", url
    headers = {"Content-Type": "application/ld+json"}
    return SimpleNamespace(status_code=200, text=CONTEXT, headers=headers, json=lambda: json.loads(CONTEXT))


HttpRequester.get = get
required = models.Severity.REQUIRED
profile = "process-run-crate-0.5"
crate = services.validate({"rocrate_uri": ".", "profile_identifier": profile, "requirement_severity": required})
bill = JsonStrictValidator(SchemaVersion.V1_6).validate_str(Path("bom.json").read_text())
card = ModelCard.load("card.md", ignore_metadata_errors=False)
answer = {
    "crate": [issue.message for issue in crate.get_issues(required)],
    "bill": [str(bill)] if bill else [],
    "card": sorted(result.metric_value for result in card.data.eval_results),
}
print(json.dumps(answer))

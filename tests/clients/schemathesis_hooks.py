"""What made-up requests lack to get as far as the work that they ask for."""

import os
import uuid

import schemathesis

# What a schema cannot know is there.
FIELDS = {"tenant": "default", "provider": "fake", "entry": os.environ["CACHE_ENTRY"]}
DEPLOYMENT = "fake/gpt-4o-mini"


@schemathesis.hook
def before_call(_context, case, _kwargs):
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    # One key for all would be a conflict, and one condition for all never met.
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    case.headers.pop("If-Match", None)
    if case.path.startswith("/deployments/{id}"):
        case.path_parameters["id"] = DEPLOYMENT
    if case.path == "/keys/{id}" and case.method == "PATCH":
        case.path_parameters["id"] = os.environ["CLIENT_KEY"]
    if not isinstance(case.body, dict):
        return
    for name, value in FIELDS.items():
        if isinstance(case.body.get(name), str):
            case.body[name] = value
    if case.path == "/tenants" and "id" in case.body:
        case.body["id"] = f"made-{uuid.uuid4()}"

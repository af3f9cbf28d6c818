"""What made-up requests lack to get as far as the work that they ask for."""

import os
import uuid

import schemathesis

# What a schema cannot know is there.
FIELDS = {"tenant": "default", "provider": "fake", "entry": os.environ["CACHE_ENTRY"]}
DEPLOYMENT = "fake/gpt-4o-mini"
# What a schema does not say of a body: which members go together, what is later than what, where somebody listens.
TOGETHER = {
    "/ledger/reprice": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
    "/alerts": {"when": {"metric": "error_rate"}, "notify": [{"webhook": os.environ["RECEIVER"]}]},
    "/alerts/silences": {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z"},
}


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
    if case.path == "/invoices":
        case.query["month"] = "2026-01"
    if not isinstance(case.body, dict):
        return
    for name, value in FIELDS.items():
        if isinstance(case.body.get(name), str):
            case.body[name] = value
    case.body.update(TOGETHER.get(case.path, {}) if case.method == "POST" else {})
    if case.path == "/alerts/silences":
        case.body.pop("alert", None)
    if case.path == "/tenants" and "id" in case.body:
        case.body["id"] = f"made-{uuid.uuid4()}"

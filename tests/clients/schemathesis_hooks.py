"""What made-up requests lack to get as far as the work that they ask for."""

import uuid

import schemathesis

# Which a schema cannot know: there is a tenant and a provider of these names.
KNOWN = {"tenant": "default", "provider": "fake"}


@schemathesis.hook
def before_call(_context, case, _kwargs):
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    # One key for all would be a conflict, and one condition for all never met.
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    case.headers.pop("If-Match", None)
    if isinstance(case.body, dict):
        for name, value in KNOWN.items():
            if isinstance(case.body.get(name), str):
                case.body[name] = value

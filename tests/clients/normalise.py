"""What normalise.ts does, for answers that Python's SDK gave."""

import hashlib
import re

ID = re.compile(r"^(chatcmpl|cmpl|resp|msg|fc|call|file|batch|modr|req|rs)[-_][\w-]+$")
TIMES = re.compile(r"^(created|.+_at)$")


def normalised(value, ids=None):
    """The same value for two servers that answer alike: ids become `<resp 1>`, `<resp 2>` in order of appearance, times `<time>`."""
    ids = {} if ids is None else ids
    if isinstance(value, str):
        return _id(value, ids)
    if isinstance(value, (list, tuple)):
        return [normalised(item, ids) for item in value]
    if isinstance(value, dict):
        return {
            name: "<time>" if isinstance(field, (int, float)) and not isinstance(field, bool) and TIMES.match(name) else normalised(field, ids)
            for name, field in value.items()
            if not name.startswith("_")
        }
    return value


def _id(text, ids):
    found = ID.match(text)
    if found is None:
        return text
    kind = found.group(1)
    if text not in ids:
        ids[text] = f"<{kind} {sum(known.startswith(f'<{kind} ') for known in ids.values()) + 1}>"
    return ids[text]


def plain(value):
    """JSON of whatever the SDK returns. Fields that did not come stay out, so that a missing one is not taken for a null."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True, warnings=False)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(field) for name, field in value.items()}
    return value


def digest(content):
    """Bytes, as far as they are compared."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

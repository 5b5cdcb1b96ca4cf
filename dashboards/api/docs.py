"""The API's description as one page of plain HTML: it loads nothing from anywhere else."""

from __future__ import annotations

import json
import re
import shlex
from html import escape
from typing import Any

_CODE = re.compile(r"`([^`]+)`")
_STYLE = """
body{font:15px/1.55 "Source Sans 3",system-ui,sans-serif;color:#1c2434;background:#f7f8fb;margin:0}
main{max-width:960px;margin:0 auto;padding:48px 24px 96px}
h1{font-size:30px;margin:0 0 4px}
h2{font-size:18px;margin:0}
.lead{color:#5d6880;margin:0 0 32px}
section{background:#fff;border:1px solid #e4e8f0;border-radius:12px;padding:20px 24px;margin:0 0
16px}
.verb{display:inline-block;font-weight:700;font-size:12px;color:#fff;background:#3557d6;border-radiu
s:6px;padding:2px 9px; margin-right:10px;vertical-align:2px}
.post{background:#0f9d76}
code,pre{font:13px/1.5 "Source Code Pro",ui-monospace,monospace}
code{background:#eef1f7;border-radius:4px;padding:1px 5px}
pre{background:#111a2e;color:#dce4f5;border-radius:8px;padding:12px
14px;white-space:pre-wrap;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:10px 0}
td{border-top:1px solid #eef1f7;padding:6px 12px 6px 0;vertical-align:top}
td:first-child{width:22%;white-space:nowrap}
.muted{color:#5d6880}
a{color:#3557d6}
"""


def page(description: dict[str, Any], *, base: str) -> str:
    """Return the page for an OpenAPI description served under `base`."""
    sections = [
        _operation(path, verb, operation, base, description)
        for path, operations in description["paths"].items()
        for verb, operation in operations.items()
    ]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Throughline API</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style><main>"
        f"<h1>{escape(description['info']['title'])} API</h1>"
        "<p class=lead>Bearer token in <code>Authorization</code> (none needed on an open loopback). "
        "Errors are RFC 9457 problems. "
        f"Machine-readable: <a href='{escape(base)}/openapi.json'>openapi.json</a>.</p>"
        f"{''.join(sections)}</main></html>"
    )


def _operation(
    path: str, verb: str, operation: dict[str, Any], base: str, description: dict[str, Any]
) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(_kind(one['schema']))}</td>"
        f"<td class=muted>{escape(one.get('description', ''))}</td></tr>"
        for one in operation.get("parameters", ())
    )
    text = _CODE.sub(r"<code>\1</code>", escape(operation.get("description", "")))
    method = "" if verb == "get" else f"-X {verb.upper()} "
    sample = f"curl {method}http://127.0.0.1:8501{base}{path}"
    if "requestBody" in operation:
        body = json.dumps(_sample(operation, description), ensure_ascii=False)
        sample += f" -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    success = next(response for code, response in operation["responses"].items() if code.startswith("2"))
    answer = _fields(success, description)
    return (
        f"<section><h2><span class='verb {verb}'>{verb.upper()}</span>{escape(base + path)}</h2><p>{text}</p>"
        f"<table>{parameters}</table><pre>{escape(sample)}</pre>{answer}</section>"
    )


def _sample(operation: dict[str, Any], description: dict[str, Any]) -> Any:
    """The example of a body. Its model must have one (`body.py`)."""
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return description["components"]["schemas"][name]["examples"][0]


def _fields(response: dict[str, Any], description: dict[str, Any]) -> str:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    model = description.get("components", {}).get("schemas", {}).get(name, {})
    fields = ", ".join(f"<code>{escape(field)}</code>" for field in model.get("properties", {}))
    return f"<p class=muted>Answers {fields}</p>" if fields else ""


def _kind(schema: dict[str, Any]) -> str:
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    values = [str(value) for one in options for value in one.get("enum", ())]
    if values:
        return " | ".join(values)
    text = ", ".join(str(one.get("format") or one.get("type", "")) for one in options)
    if "default" in schema and schema["default"] not in ("", None):
        text += f", default {schema['default']}"
    return text

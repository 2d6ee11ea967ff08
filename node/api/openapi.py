"""The local API as an OpenAPI 3.1 document, made from the table of endpoints and the structs of the views."""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from node.api.schema import ENDPOINTS, VIEWS, Endpoint
from node.api.views.actions import ErrorAnswer


def document() -> dict[str, Any]:
    """Return the document: one path for each endpoint, and one for each view."""
    views = [
        Endpoint("GET", f"/v1/views/{item.name}", item.shape, f"The view `{item.name}`.", query=item.arguments)
        for item in VIEWS.values()
    ]
    endpoints = [item for item in (*ENDPOINTS, *views) if item.path != "/v1/views/{name}"]
    shapes = [shape for item in endpoints for shape in (item.answer, item.request) if shape is not None]
    schemas, components = msgspec.json.schema_components(
        [*shapes, ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    named = iter(schemas)
    paths: dict[str, Any] = {}
    for item in endpoints:
        answer = next(named) if item.answer is not None else {"type": "string"}
        request = next(named) if item.request is not None else None
        paths.setdefault(item.path, {})[item.method.lower()] = _operation(item, answer, request)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mutua, the local API",
            "version": "1",
            "description": "HTTP and JSON on the Unix socket `api.sock` of a data folder, for its member alone.",
        },
        "servers": [{"url": "http://mutua"}],
        "paths": paths,
        "components": {"schemas": {name: _clean(item) for name, item in sorted(components.items())}},
    }


def _operation(item: Endpoint, answer: dict[str, Any], request: dict[str, Any] | None) -> dict[str, Any]:
    media = "application/json" if item.answer is not None else "text/event-stream"
    found: dict[str, Any] = {"summary": item.text}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", item.path)
    ] + [
        {
            "name": name.removesuffix("?"),
            "in": "query",
            "required": item.path.startswith("/v1/views/") and not name.endswith("?"),
            "schema": {"type": "string"},
        }
        for name in item.query
    ]
    if parameters:
        found["parameters"] = parameters
    if request is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": request}}}
    found["responses"] = {
        "200": {"description": "The answer.", "content": {media: {"schema": answer}}},
        "default": {
            "description": "What went wrong.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
        },
    }
    return found


def _clean(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with its docstring as people wrote it."""
    text = schema.get("description")
    return schema if text is None else {**schema, "description": inspect.cleandoc(text)}

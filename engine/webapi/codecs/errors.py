"""Refusals in their many shapes: plain, as problem detail, wrapped in a list, `success` false, bare text."""

from __future__ import annotations

from engine.webapi import values
from engine.webapi.codecs.reading import parse
from engine.webapi.facts.wire import Unreadable


def refusal(value: object) -> str | None:
    """Return what a parsed answer says if it is a refusal as a whole, else None.

    Shapes: {"error": text}, [{"error": text}] where nothing else stands in the list, the problem detail with `title`
    and `detail`, {"success": false, "text": ...}. {"fail": text} is none: that is a session's state.
    """
    if isinstance(value, list):
        said = [refusal(item) for item in value]
        found = [text for text in said if text is not None]
        return "; ".join(found) if found and len(found) == len(said) else None
    if not isinstance(value, dict):
        return None
    if value.get("error"):  # null and "" stand in good answers too
        return _sentence(value["error"])
    if ("title" in value or "detail" in value) and ("status" in value or "type" in value):
        return _problem(value)
    if value.get("success") is False:
        return _sentence(value.get("text") or value.get("failure_list") or "it said no success")
    return None


def refusal_of(body: bytes) -> str | None:
    """Return what an answer says if it is a refusal as a whole."""
    if b'"error"' not in body and b'"detail"' not in body and b'"title"' not in body and b'"success"' not in body:
        return None
    value = parse(body)
    return None if isinstance(value, Unreadable) else refusal(value)


def said(body: bytes, status: int) -> str:
    """Return a sentence for an HTTP error: the refusal it holds, its plain text, or the bare status."""
    found = refusal_of(body)
    if found is not None:
        return found
    if body.lstrip()[:1] not in (b"<", b"{", b"[", b'"', b"") and len(body) < 500:
        return body.decode("utf-8", "replace").strip()
    return f"HTTP status {status}"


def _sentence(value: object) -> str:
    word = values.text(value)
    if word is None and isinstance(value, dict):
        word = values.text(value.get("message", value.get("text")))
    return (word or "").strip() or "it gave no reason"


def _problem(value: dict[str, object]) -> str:
    """Join title, detail and the named arguments of a problem detail."""
    parts = [part for part in (values.text(value.get("title")), values.text(value.get("detail"))) if part]
    arguments = value.get("invalidArguments")
    for argument in arguments if isinstance(arguments, list) else []:
        if isinstance(argument, dict):
            name, what = values.text(argument.get("field")), values.text(argument.get("description"))
            parts.append(": ".join(part for part in (name, what) if part))
    return "; ".join(part for part in parts if part) or "it gave no reason"

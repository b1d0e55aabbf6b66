"""Errors of the Kubernetes API, as exceptions that carry a metav1.Status.

The API server raises them, the clients raise them again from the answer.
Reasons and codes: k8s.io/apimachinery/pkg/api/errors.
"""

from __future__ import annotations

from typing import Any

Status = dict[str, Any]


class ApiError(Exception):
    """An answer that is a failure.

    Attributes: ``code`` (HTTP status), ``reason`` (StatusReason, e.g. "NotFound"), ``message``, ``details`` (or None).
    """

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> Status:
        """The metav1.Status body of this error."""
        body: Status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details is not None:
            body["details"] = self.details
        return body

    @classmethod
    def from_status(cls, status: Status, http_code: int) -> ApiError:
        """Rebuild the error from a Status body."""
        return cls(
            int(status.get("code") or http_code),
            str(status.get("reason") or "Unknown"),
            str(status.get("message") or f"the server answered with HTTP {http_code}"),
            status.get("details"),
        )


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _details(resource: str, group: str, object_name: str, **more: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if object_name:
        out["name"] = object_name
    if group:
        out["group"] = group
    if resource:
        out["kind"] = resource
    out.update(more)
    return out


def not_found(resource: str, object_name: str, group: str = "") -> ApiError:
    """404: ``pods "x" not found``; ``resource`` is the plural."""
    message = f'{_qualified(resource, group)} "{object_name}" not found'
    return ApiError(404, "NotFound", message, _details(resource, group, object_name))


def already_exists(resource: str, object_name: str, group: str = "") -> ApiError:
    """409: ``pods "x" already exists``."""
    message = f'{_qualified(resource, group)} "{object_name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(resource, group, object_name))


def conflict(resource: str, object_name: str, why: str, group: str = "") -> ApiError:
    """409: an update that lost against another (why: e.g. "the object has been modified; …")."""
    message = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{object_name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, group, object_name))


def cause(reason: str, message: str, field: str) -> dict[str, str]:
    """One StatusCause; ``message`` without the field, as field.Error's ErrorBody."""
    return {"reason": reason, "message": message, "field": field}


def invalid(kind: str, object_name: str, causes: list[dict[str, str]], group: str = "") -> ApiError:
    """422: the object breaks its validation; ``causes`` come from :func:`cause`."""
    lines = [f"{c['field']}: {c['message']}" for c in causes]
    joined = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    label = f"{kind}.{group}" if group else kind
    message = f'{label} "{object_name}" is invalid: {joined}' if lines else f'{label} "{object_name}" is invalid'
    return ApiError(422, "Invalid", message, _details(kind, group, object_name, causes=causes))


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def method_not_allowed() -> ApiError:
    """405."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def forbidden(resource: str, object_name: str, why: str, group: str = "") -> ApiError:
    """403."""
    named = f' "{object_name}"' if object_name else ""
    message = f"{_qualified(resource, group)}{named} is forbidden: {why}"
    return ApiError(403, "Forbidden", message, _details(resource, group, object_name))


def unauthorized() -> ApiError:
    """401."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def expired(message: str) -> ApiError:
    """410: the resourceVersion is too old."""
    return ApiError(410, "Expired", message)


def unsupported_media_type(message: str) -> ApiError:
    """415."""
    return ApiError(415, "UnsupportedMediaType", message)


def internal(message: str) -> ApiError:
    """500."""
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")


def service_unavailable(message: str) -> ApiError:
    """503."""
    return ApiError(503, "ServiceUnavailable", message)

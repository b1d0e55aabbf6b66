"""The kinds of established CustomResourceDefinitions, as resources of the API server.

Upstream: k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go and pkg/registry/customresource.
A version of a definition is one :class:`Resource` whose ``custom`` is a :class:`CustomKind`: what the registry, the
tables and server-side apply need to know of it.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cached_property
from typing import Any

from podwalk.api import meta
from podwalk.api.errors import ApiError, bad_request, forbidden
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.crd import columns, jsonpath, shape, structural, values
from podwalk.apiserver.schema import checking
from podwalk.apiserver.schema.definitions import OBJECT_META
from podwalk.apiserver.schema.shapes import Shape
from podwalk.apiserver.store import Stored
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation import metadata as metadata_rules
from podwalk.apiserver.strategy.validation.fields import Cause

_VERSION = re.compile(r"^v(\d+)(?:(alpha|beta)(\d+))?$")
_EVERYTHING: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class CustomKind:
    """One served version of a CustomResourceDefinition."""

    def __init__(self, definition: Object, version: Object) -> None:
        self.definition = definition
        self.version = version
        self.names: Object = (definition.get("status") or {}).get("acceptedNames") or definition["spec"]["names"]
        self.schema: Object = (version.get("schema") or {}).get("openAPIV3Schema") or _EVERYTHING
        self.subresources: Object = version.get("subresources") or {}
        self.columns: list[Object] = version.get("additionalPrinterColumns") or []
        self.selectable = tuple(str(f["jsonPath"]).removeprefix(".") for f in version.get("selectableFields") or ())

    @property
    def api_version(self) -> str:
        """``group/version``."""
        return f"{self.definition['spec']['group']}/{self.version['name']}"

    @property
    def kind(self) -> str:
        """The kind."""
        return str(self.definition["spec"]["names"]["kind"])

    @property
    def terminating(self) -> bool:
        """Whether the definition is being deleted, so that nothing new may be created."""
        return meta.is_deleting(self.definition)

    @property
    def scale(self) -> Object | None:
        """The paths of the scale subresource, or None."""
        found = self.subresources.get("scale")
        return found if isinstance(found, dict) else None

    @cached_property
    def shape(self) -> Shape:
        """How its values merge in server-side apply."""
        return shape.of_schema(self.schema, resource=True)

    @property
    def warnings(self) -> list[str]:
        """The deprecation warning of this version, if it is deprecated."""
        if not self.version.get("deprecated"):
            return []
        return [self.version.get("deprecationWarning") or f"{self.api_version} {self.kind} is deprecated"]

    def resource(self) -> Resource:
        """The resource of this version."""
        spec, names = self.definition["spec"], self.names
        return Resource(
            spec["group"],
            self.version["name"],
            names["kind"],
            names["plural"],
            names.get("singular") or names["kind"].lower(),
            spec["scope"] == "Namespaced",
            tuple(names.get("shortNames") or ()),
            tuple(names.get("categories") or ()),
            tuple(part for part in ("status", "scale") if part in self.subresources),
            custom=self,
        )

    def check(self, obj: Object, field_validation: str) -> list[str]:
        """Decode a sent object: kind and version, types of its metadata, unknown fields. Raises ApiError (400)."""
        sent_kind, sent_version = obj.get("kind"), obj.get("apiVersion")
        if sent_version not in (None, "", self.api_version):
            raise bad_request(
                f"the API version in the data ({sent_version}) does not match the expected API version "
                f"({self.api_version})"
            )
        if sent_kind not in (None, "", self.kind):
            raise bad_request(f"the kind in the data ({sent_kind}) does not match the expected kind ({self.kind})")
        obj["kind"], obj["apiVersion"] = self.kind, self.api_version
        prefix = f'{self.kind} in version "{self.version["name"]}" cannot be handled as a {self.kind}'
        unknown = checking.check_part(obj.setdefault("metadata", {}), OBJECT_META, "metadata", prefix)
        unknown += structural.prune(obj, self.schema, resource=True)
        errors = [f'unknown field "{path}"' for path in unknown]
        if errors and field_validation == "Strict":
            raise bad_request(f"{prefix}: strict decoding error: {', '.join(errors)}")
        return errors if field_validation == "Warn" else []

    def column_definitions(self) -> list[Object]:
        """The columns of its Table."""
        return columns.definitions(self.columns)

    def cells(self, obj: Object) -> list[Any]:
        """One row of its Table."""
        return columns.cells(self.columns, obj)

    def default(self, obj: Object) -> None:
        """Fill in the schema's defaults."""
        structural.default(obj, self.schema)

    def validate(self, obj: Object, old: Object | None, subresource: str = "") -> list[Cause]:
        """What is wrong with an object; on /status only what stands in its status."""
        causes = [] if subresource else metadata_rules.validate_metadata(obj, fields.dns_subdomain)
        found = self._against_schema(obj)
        if old is not None and found:
            # Ratcheting (KEP-4008): what was wrong before and has not been touched is let be.
            known = [c for c in self._against_schema(old) if c["reason"] != "FieldValueRequired"]
            found = [c for c in found if c not in known or not values.unchanged(old, obj, c["field"])]
        if subresource == "status":
            found = [c for c in found if c["field"].startswith(("status", "<nil>"))]
        return causes + found

    def _against_schema(self, obj: Object) -> list[Cause]:
        names = {k: v for k, v in obj["metadata"].items() if k in ("name", "generateName")}
        return values.validate({**obj, "metadata": names}, self.schema)

    def generation_of(self, old: Object, new: Object) -> bool:
        """Whether a change is one of the spec: with a status subresource everything but the status counts."""
        ignored = {"kind", "apiVersion", "metadata"} | ({"status"} if "status" in self.subresources else set())
        return {k: v for k, v in old.items() if k not in ignored} != {k: v for k, v in new.items() if k not in ignored}

    def refuse_new(self, name: str, *, applied: bool) -> None:
        """Refuse to create objects of a kind on its way out. Raises ApiError (405; 403 for an applied one)."""
        if not self.terminating:
            return
        message = "create not allowed while custom resource definition is terminating"
        if applied:
            raise forbidden(self.names["plural"], name, message, self.definition["spec"]["group"])
        raise ApiError(405, "MethodNotAllowed", message)


def custom_of(resource: Resource) -> CustomKind | None:
    """What the definition says about a resource; None for a built-in one."""
    found: CustomKind | None = resource.custom
    return found


def at_version(resource: Resource, stored: Stored) -> Stored:
    """A stored object as this version of its resource shows it (conversion strategy None)."""
    if resource.custom is None or stored.obj.get("apiVersion") == resource.api_version:
        return stored
    shown = {**deepcopy(stored.obj), "apiVersion": resource.api_version}
    resource.custom.default(shown)
    return Stored(shown, stored.rv, stored.written)


class Catalog:
    """The custom resources that are served now. ``version`` rises with every change of them."""

    def __init__(self) -> None:
        self.version = 0
        self.resources: tuple[Resource, ...] = ()
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_definition: dict[str, tuple[Resource, ...]] = {}

    def serve(self, definition: Object) -> None:
        """Serve the versions of a definition, in upstream's order of versions."""
        served = [v for v in definition["spec"]["versions"] if v.get("served")]
        served.sort(key=lambda v: version_key(str(v["name"])), reverse=True)
        found = tuple(CustomKind(definition, version).resource() for version in served)
        self._by_definition[meta.name(definition)] = found
        self._rebuild()

    def withdraw(self, name: str) -> tuple[Resource, ...]:
        """Serve a definition no longer; what it served."""
        gone = self._by_definition.pop(name, ())
        if gone:
            self._rebuild()
        return gone

    def _rebuild(self) -> None:
        found = [r for _, served in sorted(self._by_definition.items()) for r in served]
        self.resources = tuple(sorted(found, key=lambda r: r.group))
        self._by_path = {(r.group, r.version, r.plural): r for r in self.resources}
        self.version += 1

    def by_path(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at a URL, or None."""
        return self._by_path.get((group, version, plural))

    def of_definition(self, name: str) -> tuple[Resource, ...]:
        """What a definition serves."""
        return self._by_definition.get(name, ())


def version_key(name: str) -> tuple[int, int, int, str]:
    """Sorts version names: v2 over v1 over v1beta2 over v1alpha1 over anything else (apimachinery/pkg/version)."""
    found = meta_version(name)
    if found is None:
        return (0, 0, 0, name)
    major, stage, minor = found
    return (stage, major, minor, name)


def meta_version(name: str) -> tuple[int, int, int] | None:
    """(major, stage, minor) of a version such as v1beta2; the stage is 3 for a stable one, 1 for alpha."""
    parsed = _VERSION.match(name)
    if parsed is None:
        return None
    major, stage, minor = parsed.groups()
    return int(major), {None: 3, "beta": 2, "alpha": 1}[stage], int(minor or 0)


def scale_of(resource: Resource, stored: Stored) -> Object:
    """The autoscaling/v1 Scale of a custom resource."""
    paths: dict[str, Any] = resource.custom.scale
    obj = stored.obj
    wanted = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {k: obj["metadata"][k] for k in wanted if k in obj["metadata"]}
    replicas = jsonpath.first(paths["specReplicasPath"], obj)
    status: Object = {"replicas": jsonpath.first(paths["statusReplicasPath"], obj) or 0}
    if paths.get("labelSelectorPath") and (selector := jsonpath.first(paths["labelSelectorPath"], obj)):
        status["selector"] = selector
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def set_replicas(resource: Resource, obj: Object, replicas: int) -> None:
    """Write the replicas of a Scale to where the definition says."""
    at = obj
    *parents, last = resource.custom.scale["specReplicasPath"].strip(".").split(".")
    for name in parents:
        at = at.setdefault(name, {})
    at[last] = replicas

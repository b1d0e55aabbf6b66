"""Reading and writing objects: get, list, create, update.

Upstream: k8s.io/apiserver/pkg/registry/generic/registry/store.go and registry/rest. A write runs without awaiting
anything, so it is atomic: a patch reads, changes and stores in one step and can only conflict with a
resourceVersion that it names itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from podwalk.api import errors, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import EVENTS_V1, Resource
from podwalk.apiserver import events, strategy
from podwalk.apiserver.apply import managed
from podwalk.apiserver.crd import hooks
from podwalk.apiserver.crd.kinds import Catalog, at_version
from podwalk.apiserver.options import ListOptions, WriteOptions, encode_continue, unsigned
from podwalk.apiserver.rbac import escalation
from podwalk.apiserver.rbac.authorizer import Authorizer
from podwalk.apiserver.registry import addresses, admission, quota, traits
from podwalk.apiserver.store import Store, Stored
from podwalk.apiserver.strategy import ServiceAllocator

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"

_NAME_TRIES = 8

Transform = Callable[[Object], Object]


@dataclass(frozen=True, slots=True)
class Page:
    """One chunk of a list: ``token`` continues it, ``remaining`` is how many follow (None: unknown or none)."""

    items: list[Stored]
    rv: int
    token: str = ""
    remaining: int | None = None


class Registry:
    """The objects of the cluster behind Kubernetes' rules for writing them. All methods raise ApiError."""

    def __init__(self, store: Store, allocator: ServiceAllocator) -> None:
        self.store = store
        allocator.is_taken = lambda ip: addresses.is_taken(store, ip)
        self.catalog = Catalog()
        self.authorizer = Authorizer(store)
        self.allocator = allocator

    # Reading.

    def get(self, resource: Resource, namespace: str, name: str) -> Stored:
        """One object. Raises NotFound."""
        stored = self.store.get(events.stored_as(resource), namespace, name)
        if stored is None:
            raise errors.not_found(resource.plural, name, resource.group)
        return stored

    def select(self, resource: Resource, namespace: str, options: ListOptions) -> Page:
        """The objects that match, in the order of their names."""
        resource = events.stored_as(resource)
        self.check_resource_version(options.resource_version)
        found = [(key, stored) for key, stored in self.store.scan(resource, namespace) if options.matches(stored.obj)]
        if options.start is not None:
            start = (options.start[0] or namespace, options.start[1])
            found = [(key, stored) for key, stored in found if key > start]
        rv = options.start_rv or self.store.rv
        items = [stored for _, stored in found]
        if not options.limit or len(found) <= options.limit:
            return Page(items, rv)
        last = found[options.limit - 1][0]
        remaining = None if options.selective else len(found) - options.limit
        token = encode_continue(rv, ("" if namespace else last[0], last[1]))
        return Page(items[: options.limit], rv, token, remaining)

    def page_of(self, items: list[Stored]) -> Page:
        """A list of objects at the present version."""
        return Page(items, self.store.rv)

    def check_resource_version(self, wanted: int | None) -> None:
        """Refuse a resourceVersion that does not exist yet."""
        if wanted is None or wanted <= self.store.rv:
            return
        details = {
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }
        message = f"Timeout: Too large resource version: {wanted}, current: {self.store.rv}"
        raise ApiError(504, "Timeout", message, details)

    # Creating.

    def create(
        self, resource: Resource, namespace: str, obj: Object, options: WriteOptions, *, applied: bool = False
    ) -> Stored:
        """Store a new object; ``obj`` is taken over. With dryRun nothing is stored, and the answer has no version.

        An ``applied`` object brings its managedFields along.
        """
        if resource == EVENTS_V1:
            resource, obj = events.stored_as(resource), events.to_core(obj)
        applied_fields = (obj.get("metadata") or {}).get("managedFields") if applied else None
        metadata = obj.setdefault("metadata", {})
        self._place(resource, namespace, obj)
        name = metadata.get("name") or metadata.get("generateName") or ""
        admission.check_namespace(self.store, resource, namespace, name)
        escalation.check(self.authorizer, resource, obj, None)
        generated = not metadata.get("name") and metadata.get("generateName")
        for _ in range(_NAME_TRIES if generated else 0):
            metadata["name"] = metadata["generateName"][:58] + meta.random_suffix()
            if self.store.get(resource, namespace, metadata["name"]) is None:
                break
        sent = orjson.loads(orjson.dumps(obj))
        self._prepare_create(resource, obj)
        hooks.before_create(resource, obj, applied=applied)
        obj = ordered(resource, obj)
        strategy.prepare_create(obj)
        if applied_fields:
            obj["metadata"]["managedFields"] = applied_fields
        else:
            managed.track(resource, None, obj, options.manager, sent=sent)
        # The owners are noted first: what admission adds belongs to nobody.
        admission.admit(self.store, resource, obj)
        with self._allocated(resource, obj, None, options.dry_run):
            self._validate(resource, obj, None)
            admission.check(self.store, resource, obj)
            if self.store.get(resource, namespace, meta.name(obj)) is not None:
                raise errors.already_exists(resource.plural, meta.name(obj), resource.group)
        if options.dry_run:
            return Stored(obj, 0)
        return self.store.put(resource, obj)

    def _place(self, resource: Resource, namespace: str, obj: Object) -> None:
        metadata = obj["metadata"]
        if resource.namespaced:
            if metadata.get("namespace") not in (None, "", namespace):
                raise errors.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            metadata["namespace"] = namespace
        else:
            metadata.pop("namespace", None)
        if metadata.get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")

    def _prepare_create(self, resource: Resource, obj: Object) -> None:
        metadata = obj["metadata"]
        for field in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generation"):
            metadata.pop(field, None)
        metadata["uid"] = meta.new_uid()
        metadata["creationTimestamp"] = meta.now()
        if traits.has_generation(resource):
            metadata["generation"] = 1
        if traits.clears_status(resource):
            obj.pop("status", None)
        if resource.kind == "Namespace":
            spec = obj.setdefault("spec", {})
            spec["finalizers"] = sorted({*(spec.get("finalizers") or ()), "kubernetes"})

    # Updating.

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        transform: Transform,
        options: WriteOptions,
        *,
        subresource: str = "",
        create: bool = False,
        applied: bool = False,
    ) -> tuple[Stored, bool]:
        """Replace an object by what ``transform`` makes of a copy of it.

        Answers the stored object and whether it was created (a PUT of a resource that allows it, with ``create``).
        An update that changes nothing stores nothing.
        """
        if resource == EVENTS_V1:
            resource, change = events.stored_as(resource), transform

            def transform(live: Object) -> Object:
                return events.to_core(change(events.from_core(live)))

        old = self.store.get(resource, namespace, name)
        if old is None:
            if not (applied and not subresource) and not (create and traits.create_on_update(resource)):
                raise errors.not_found(resource.plural, name, resource.group)
            obj = transform({})
            self._match_url(resource, namespace, name, obj)
            if obj["metadata"].get("resourceVersion"):
                raise errors.not_found(resource.plural, name, resource.group)
            return self.create(resource, namespace, obj, options, applied=applied), True
        old = at_version(resource, old)
        obj = transform(old.copy())
        self._match_url(resource, namespace, name, obj)
        self._check_preconditions(resource, old, obj)
        escalation.check(self.authorizer, resource, obj, old.obj)
        obj = self._prepare_update(resource, old, obj, subresource)
        if not applied:
            if same(old.obj, obj):
                return old, False
            managed.track(resource, old.obj, obj, options.manager, subresource)
        elif old.obj == obj:
            return old, False
        self._validate(resource, obj, old.obj, subresource)
        with self._allocated(resource, obj, None if subresource else old, options.dry_run, held=bool(subresource)):
            if not subresource:
                quota.check_quotas(self.store, resource, obj, old.obj)
        if options.dry_run:
            return Stored(obj, old.rv), False
        return self.store_updated(resource, old, obj), False

    def _validate(self, resource: Resource, obj: Object, old: Object | None, subresource: str = "") -> None:
        causes = _metadata_causes(old, obj) if old is not None else []
        found = hooks.validate(resource, obj, old, subresource)
        causes += strategy.validate(obj, old, subresource=subresource) if found is None else found
        if causes:
            raise errors.invalid(resource.kind, meta.name(obj), causes, resource.group)

    @contextmanager
    def _allocated(
        self, resource: Resource, obj: Object, old: Stored | None, dry_run: bool, *, held: bool = False
    ) -> Iterator[None]:
        """Addresses and node ports for a Service; given back where the write fails or is a dry run."""
        if resource.kind != "Service" or held:
            yield
            return
        self.allocator.ranges = addresses.service_ranges(self.store)
        self.allocator.allocate(obj, old.obj if old else None)
        keep = False
        try:
            yield
            keep = not dry_run
        finally:
            if not keep and old is not None:
                self.allocator.allocate(old.copy(), obj)
            elif not keep:
                self.allocator.release(obj)
        if keep:
            addresses.sync_address(self.store, obj, old.obj if old else None)

    def apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        transform: Transform,
        options: WriteOptions,
        *,
        subresource: str = "",
    ) -> tuple[Stored, bool]:
        """Update by server-side apply, which creates what is missing and settles the managedFields itself."""

        def named(live: Object) -> Object:
            obj = transform(live)
            obj["metadata"].setdefault("name", name)
            return obj

        return self.update(resource, namespace, name, named, options, subresource=subresource, applied=True)

    def store_updated(self, resource: Resource, old: Stored, obj: Object) -> Stored:
        """Store a new version, or remove the object where this update took its last finalizer."""
        metadata = obj["metadata"]
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            done = not metadata.get("deletionGracePeriodSeconds")
            if resource.kind == "Namespace":
                done = not obj.get("spec", {}).get("finalizers")
            if done:
                return self.remove(resource, self.store.put(resource, obj))
        return self.store.put(resource, obj)

    def remove(self, resource: Resource, stored: Stored) -> Stored:
        """Take an object out of the store, with what it had allocated."""
        if resource.kind == "Service":
            self.allocator.release(stored.obj)
            addresses.sync_address(self.store, None, stored.obj)
        return self.store.remove(resource, stored)

    def _match_url(self, resource: Resource, namespace: str, name: str, obj: Object) -> None:
        metadata = obj.setdefault("metadata", {})
        sent = metadata.get("name")
        if not sent:
            raise errors.bad_request("name must be provided")
        if sent != name:
            raise errors.bad_request(f"the name of the object ({sent}) does not match the name on the URL ({name})")
        if resource.namespaced:
            if metadata.get("namespace") not in (None, "", namespace):
                raise errors.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            metadata["namespace"] = namespace

    def _check_preconditions(self, resource: Resource, old: Stored, obj: Object) -> None:
        metadata, name = obj["metadata"], meta.name(obj)
        sent = metadata.get("resourceVersion") or ""
        if sent and (wrong := unsigned(sent)):
            raise ApiError(500, "", wrong)
        if not sent and traits.update_needs_version(resource):
            why = "Invalid value: 0: must be specified for an update"
            causes = [errors.cause("FieldValueInvalid", why, "metadata.resourceVersion")]
            raise errors.invalid(resource.kind, name, causes, resource.group)
        if sent and sent != "0" and int(sent) != old.rv:
            raise errors.conflict(resource.plural, name, MODIFIED, resource.group)
        uid = metadata.get("uid")
        if uid and uid != meta.uid(old.obj):
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta.uid(old.obj)}"
            raise errors.conflict(resource.plural, name, why, resource.group)

    def _prepare_update(self, resource: Resource, old: Stored, obj: Object, subresource: str) -> Object:
        before = old.copy()
        if subresource == "status":
            obj = _status_only(resource, before, obj)
        elif subresource not in ("finalize", "ephemeralcontainers", "resize") and traits.has_status(resource):
            _take(obj, before, "status")
        if resource.kind == "Namespace" and subresource != "finalize":
            obj.setdefault("spec", {})
            _take(obj["spec"], before.get("spec") or {}, "finalizers")
        metadata, was = obj["metadata"], before["metadata"]
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            _take(metadata, was, field)
        metadata.pop("selfLink", None)
        if not metadata.get("generateName"):
            _take(metadata, was, "generateName")
        metadata["resourceVersion"] = was["resourceVersion"]
        obj = ordered(resource, obj)
        changed = hooks.spec_changed(resource, before, obj)
        if traits.has_generation(resource) and (_spec(obj) != _spec(before) if changed is None else changed):
            obj["metadata"]["generation"] = int(was.get("generation") or 0) + 1
        return obj


def ordered(resource: Resource, obj: Object) -> Object:
    """The object with its defaults, kind, apiVersion and metadata in front."""
    obj["kind"], obj["apiVersion"] = resource.kind, resource.api_version
    obj.setdefault("metadata", {})
    if not hooks.default(resource, obj):
        strategy.default(obj)
    head = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": obj["metadata"]}
    return {**head, **{k: v for k, v in obj.items() if k not in head}}


def same(old: Object, new: Object) -> bool:
    """Whether an update changes nothing ."""
    if any(old.get(k) != new.get(k) for k in old.keys() | new.keys() if k != "metadata"):
        return False
    was, now = old["metadata"], new["metadata"]
    fields = (was.keys() | now.keys()) - {"managedFields"}
    if any(was.get(k) != now.get(k) for k in fields):
        return False
    # Not sending managedFields changes nothing; sending others, as kubectl does to migrate them, does.
    return not now.get("managedFields") or now["managedFields"] == was.get("managedFields")


def _spec(obj: Object) -> Object:
    return {k: v for k, v in obj.items() if k not in ("kind", "apiVersion", "metadata", "status")}


def _take(target: Object, source: Object, field: str) -> None:
    if field in source:
        target[field] = source[field]
    else:
        target.pop(field, None)


def _status_only(resource: Resource, before: Object, obj: Object) -> Object:
    metadata, was = obj["metadata"], before["metadata"]
    if resource.custom is not None:
        metadata = {**was, "managedFields": metadata.get("managedFields")}
    kept = {**before, "metadata": metadata}
    _take(kept, obj, "status")
    _take(metadata, was, "ownerReferences")
    if traits.status_keeps_labels(resource):
        _take(metadata, was, "labels")
    return kept


def _metadata_causes(old: Object, new: Object) -> list[dict[str, str]]:
    if not meta.is_deleting(old):
        return []
    added = sorted(set(new["metadata"].get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ()))
    if not added:
        return []
    shown = "[]string{" + ", ".join(f'"{f}"' for f in added) + "}"
    message = f"Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
    return [errors.cause("FieldValueForbidden", message, "metadata.finalizers")]

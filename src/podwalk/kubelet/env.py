"""A container's environment, command and arguments.

Stands in for ``makeEnvironmentVariables`` of pkg/kubelet/kubelet_pods.go, pkg/kubelet/envvars (the variables that name
the Services) and third_party/forked/golang/expansion (``$(VAR)``). Pure: ConfigMaps and Secrets are handed in.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping

from podwalk.api import meta, quantity
from podwalk.api.meta import Object

# (kind, name) -> the object, or None where it does not exist; all in the Pod's namespace.
Sources = Mapping[tuple[str, str], Object | None]


class ConfigError(Exception):
    """The container cannot be configured: reason CreateContainerConfigError, this message."""


def expand(text: str, lookup: Callable[[str], str | None]) -> str:
    """Replace ``$(NAME)`` by ``lookup``; an unknown name stays as it is, ``$$`` is one dollar."""
    out: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0 and dollar + 1 < len(text):
        out.append(text[at:dollar])
        following = text[dollar + 1]
        end = text.find(")", dollar) if following == "(" else -1
        if following == "$":
            out.append("$")
            at = dollar + 2
        elif end >= 0:
            found = lookup(text[dollar + 2 : end])
            out.append(text[dollar : end + 1] if found is None else found)
            at = end + 1
        elif following == "(":
            out.append("$(")
            at = dollar + 2
        else:
            out.append("$" + following)
            at = dollar + 2
    out.append(text[at:])
    return "".join(out)


def _variable(text: str) -> str:
    return text.replace("-", "_").upper()


def _service_variables(service: Object) -> dict[str, str]:
    spec = service["spec"]
    prefix, ip = _variable(meta.name(service)), str(spec["clusterIP"])
    ports = spec.get("ports") or []
    if not ports:
        return {f"{prefix}_SERVICE_HOST": ip}
    out = {f"{prefix}_SERVICE_HOST": ip, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            out[f"{prefix}_SERVICE_PORT_{_variable(port['name'])}"] = str(port["port"])
    for index, port in enumerate(ports):
        protocol = str(port.get("protocol") or "TCP")
        url = f"{protocol.lower()}://{ip}:{port['port']}"
        if index == 0:
            out[f"{prefix}_PORT"] = url
        link = f"{prefix}_PORT_{port['port']}_{protocol.upper()}"
        out[link] = url
        out[f"{link}_PROTO"] = protocol.lower()
        out[f"{link}_PORT"] = str(port["port"])
        out[f"{link}_ADDR"] = ip
    return out


def service_environment(services: Iterable[Object], namespace: str, enable_links: bool) -> dict[str, str]:
    """The variables of the Services that a Pod of ``namespace`` is told about; ``kubernetes`` always among them."""
    chosen: dict[str, Object] = {}
    for service in services:
        if service["spec"].get("clusterIP") in (None, "", "None"):
            continue
        name = meta.name(service)
        if meta.namespace(service) == namespace and enable_links:
            chosen[name] = service
        elif meta.namespace(service) == "default" and name == "kubernetes":
            chosen.setdefault(name, service)
    out: dict[str, str] = {}
    for name in sorted(chosen):
        out.update(_service_variables(chosen[name]))
    return out


def quote(text: str) -> str:
    """A string as Go's ``%q`` prints it (the characters that labels and annotations hold)."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(c, c) for c in text) + '"'


def field_value(pod: Object, path: str) -> str:
    """The value at a downward-API field path. Raises ConfigError where the path is not supported."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    base, bracket, rest = path.partition("[")
    if bracket and base in ("metadata.labels", "metadata.annotations"):
        values = metadata.get(base.removeprefix("metadata.")) or {}
        return str(values.get(rest.rstrip("]").strip("'\""), ""))
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(metadata.get(path.removeprefix("metadata."), ""))
        case "metadata.labels" | "metadata.annotations":
            values = metadata.get(path.removeprefix("metadata.")) or {}
            return "\n".join(f"{k}={quote(values[k])}" for k in sorted(values))
        case "spec.nodeName" | "spec.serviceAccountName":
            return str(spec.get(path.removeprefix("spec."), ""))
        case "status.hostIP" | "status.podIP":
            return str(status.get(path.removeprefix("status."), ""))
        case "status.podIPs" | "status.hostIPs":
            return ",".join(str(entry["ip"]) for entry in status.get(path.removeprefix("status.")) or ())
    raise ConfigError(f"unsupported fieldPath: {path}")


def resource_value(pod: Object, selector: Object, container: Object, allocatable: Mapping[str, str]) -> str:
    """The value of a resourceFieldRef; a limit that is not set is the node's allocatable. Raises ConfigError."""
    wanted = selector.get("containerName")
    if wanted and wanted != container.get("name"):
        for candidate in [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]:
            if candidate["name"] == wanted:
                container = candidate
                break
        else:
            raise ConfigError(f"container {wanted} not found")
    kind, _, name = str(selector["resource"]).partition(".")
    resources = container.get("resources") or {}
    if kind not in ("limits", "requests") or not name:
        raise ConfigError(f"unsupported container resource : {selector['resource']}")
    value = (resources.get(kind) or {}).get(name)
    if value is None and kind == "limits":
        value = allocatable.get(name)
    return quantity.divide(value if value is not None else "0", selector.get("divisor") or "1")


def references(container: Object) -> set[tuple[str, str]]:
    """The (kind, name) of the ConfigMaps and Secrets that a container's environment needs."""
    out: set[tuple[str, str]] = set()
    for entry in container.get("envFrom") or ():
        for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if entry.get(field):
                out.add((kind, str(entry[field]["name"])))
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            if source.get(field):
                out.add((kind, str(source[field]["name"])))
    return out


def text_data(obj: Object) -> dict[str, str]:
    """``data`` of a ConfigMap or Secret as text."""
    data = obj.get("data") or {}
    if obj.get("kind") == "Secret":
        return {k: base64.b64decode(v or "").decode(errors="replace") for k, v in data.items()}
    return {k: str(v) for k, v in data.items()}


def _from_reference(reference: Object, kind: str, sources: Sources) -> str | None:
    name, key = str(reference["name"]), str(reference["key"])
    optional = bool(reference.get("optional"))
    obj = sources.get((kind, name))
    if obj is None:
        if optional:
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data = text_data({"kind": kind, **obj})
    if key not in data:
        if optional:
            return None
        raise ConfigError(f"couldn't find key {key} in {kind} {meta.namespace(obj)}/{name}")
    return data[key]


def _env_from(container: Object, sources: Sources) -> dict[str, str]:
    out: dict[str, str] = {}
    for entry in container.get("envFrom") or ():
        kind, field = ("ConfigMap", "configMapRef") if entry.get("configMapRef") else ("Secret", "secretRef")
        reference = entry.get(field)
        if not reference:
            continue
        obj = sources.get((kind, str(reference["name"])))
        if obj is None:
            if reference.get("optional"):
                continue
            raise ConfigError(f'{kind.lower()} "{reference["name"]}" not found')
        prefix = str(entry.get("prefix") or "")
        out.update({prefix + k: v for k, v in text_data({"kind": kind, **obj}).items()})
    return out


def _value(
    variable: Object, pod: Object, container: Object, sources: Sources, allocatable: Mapping[str, str]
) -> str | None:
    source = variable.get("valueFrom") or {}
    if source.get("fieldRef"):
        return field_value(pod, str(source["fieldRef"]["fieldPath"]))
    if source.get("resourceFieldRef"):
        return resource_value(pod, source["resourceFieldRef"], container, allocatable)
    if source.get("configMapKeyRef"):
        return _from_reference(source["configMapKeyRef"], "ConfigMap", sources)
    if source.get("secretKeyRef"):
        return _from_reference(source["secretKeyRef"], "Secret", sources)
    return ""


def build(
    pod: Object,
    container: Object,
    *,
    sources: Sources,
    services: Mapping[str, str],
    allocatable: Mapping[str, str],
) -> dict[str, str]:
    """The variables of a container, without those of its image. Raises ConfigError."""
    out = _env_from(container, sources)

    def lookup(name: str) -> str | None:
        return out[name] if name in out else services.get(name)

    for variable in container.get("env") or ():
        if variable.get("value"):
            out[variable["name"]] = expand(str(variable["value"]), lookup)
            continue
        value = _value(variable, pod, container, sources, allocatable)
        if value is not None:
            out[variable["name"]] = value
    for name, value in services.items():
        out.setdefault(name, value)
    return out


def expand_all(words: Iterable[str] | None, environment: Mapping[str, str]) -> list[str] | None:
    """A command or argument list with its ``$(VAR)`` replaced; None stays None."""
    if words is None:
        return None
    return [expand(str(word), environment.get) for word in words]

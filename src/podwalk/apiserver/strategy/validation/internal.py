"""Pod specs as kube-apiserver holds them inside: what its messages print where they show a spec or a difference.

Its internal types have no JSON names, so that every field appears by its Go name, also where it is empty; and some
fields stand elsewhere (hostNetwork is part of the securityContext). Upstream: pkg/apis/core/types.go, and
k8s.io/apimachinery/pkg/util/diff.
"""

from __future__ import annotations

import difflib
import json
import re
from functools import cache
from typing import Any

from podwalk.api.meta import Object

# Field: a string. Field=i, =b: a number, a boolean. Field?: anything that may be absent, printed as it is.
# Field:T a struct, Field?:T a pointer to one, Field[]:T a list of them.
_TYPES: dict[str, str] = {
    "PodSpec": "Volumes[]:Volume InitContainers[]:Container Containers[]:Container "
    "EphemeralContainers[]:EphemeralContainer RestartPolicy TerminationGracePeriodSeconds? ActiveDeadlineSeconds? "
    "DNSPolicy NodeSelector? ServiceAccountName AutomountServiceAccountToken? NodeName "
    "SecurityContext?:PodSecurityContext ImagePullSecrets[]:LocalObjectReference Hostname Subdomain "
    "SetHostnameAsFQDN? Affinity?:Affinity SchedulerName Tolerations[]:Toleration HostAliases[]:HostAlias "
    "PriorityClassName Priority? PreemptionPolicy? DNSConfig?:PodDNSConfig ReadinessGates[]:PodReadinessGate "
    "RuntimeClassName? Overhead? EnableServiceLinks? TopologySpreadConstraints[]:TopologySpreadConstraint OS?:PodOS "
    "SchedulingGates[]:PodSchedulingGate ResourceClaims[]:PodResourceClaim Resources?:ResourceRequirements "
    "HostnameOverride?",
    "Volume": "Name HostPath?:HostPath EmptyDir?:EmptyDir GCEPersistentDisk? AWSElasticBlockStore? GitRepo? "
    "Secret?:Secret NFS?:NFS ISCSI? Glusterfs? PersistentVolumeClaim?:Claim RBD? Quobyte? FlexVolume? Cinder? CephFS? "
    "Flocker? DownwardAPI?:DownwardAPI FC? AzureFile? ConfigMap?:ConfigMap VsphereVolume? AzureDisk? "
    "PhotonPersistentDisk? Projected?:Projected PortworxVolume? ScaleIO? StorageOS? CSI? Ephemeral? Image?:Image",
    "HostPath": "Path Type?",
    "EmptyDir": "Medium SizeLimit?",
    "Secret": "SecretName Items[]:KeyToPath DefaultMode? Optional?",
    "NFS": "Server Path ReadOnly=b",
    "Claim": "ClaimName ReadOnly=b",
    "DownwardAPI": "Items[]:DownwardFile DefaultMode?",
    "ConfigMap": "Name Items[]:KeyToPath DefaultMode? Optional?",
    "Image": "Reference PullPolicy",
    "Projected": "Sources[]:Projection DefaultMode?",
    "Projection": "Secret?:ProjectedMap DownwardAPI?:ProjectedDownward ConfigMap?:ProjectedMap "
    "ServiceAccountToken?:Token ClusterTrustBundle? PodCertificate?",
    "ProjectedMap": "Name Items[]:KeyToPath Optional?",
    "ProjectedDownward": "Items[]:DownwardFile",
    "Token": "Audience ExpirationSeconds=i Path",
    "KeyToPath": "Key Path Mode?",
    "DownwardFile": "Path FieldRef?:FieldRef ResourceFieldRef?:ResourceFieldRef Mode?",
    "FieldRef": "APIVersion FieldPath",
    "ResourceFieldRef": "ContainerName Resource Divisor=q",
    "Container": "Name Image Command? Args? WorkingDir Ports[]:Port EnvFrom[]:EnvFrom Env[]:Env "
    "Resources:ResourceRequirements ResizePolicy[]:ResizePolicy RestartPolicy? RestartPolicyRules? "
    "VolumeMounts[]:Mount VolumeDevices[]:Device LivenessProbe?:Probe ReadinessProbe?:Probe StartupProbe?:Probe "
    "Lifecycle?:Lifecycle TerminationMessagePath TerminationMessagePolicy ImagePullPolicy "
    "SecurityContext?:SecurityContext Stdin=b StdinOnce=b TTY=b",
    "Port": "Name HostPort=i ContainerPort=i Protocol HostIP",
    "EnvFrom": "Prefix ConfigMapRef?:NamedRef SecretRef?:NamedRef",
    "NamedRef": "Name Optional?",
    "Env": "Name Value ValueFrom?:EnvSource",
    "EnvSource": "FieldRef?:FieldRef ResourceFieldRef?:ResourceFieldRef ConfigMapKeyRef?:KeyRef SecretKeyRef?:KeyRef "
    "FileKeyRef?",
    "KeyRef": "Name Key Optional?",
    "ResourceRequirements": "Limits? Requests? Claims?",
    "ResizePolicy": "ResourceName RestartPolicy",
    "Mount": "Name ReadOnly=b RecursiveReadOnly? MountPath SubPath MountPropagation? SubPathExpr",
    "Device": "Name DevicePath",
    "Handler": "Exec?:Exec HTTPGet?:HTTPGet TCPSocket?:TCPSocket GRPC?:GRPC",
    "Probe": "Exec?:Exec HTTPGet?:HTTPGet TCPSocket?:TCPSocket GRPC?:GRPC InitialDelaySeconds=i TimeoutSeconds=i "
    "PeriodSeconds=i SuccessThreshold=i FailureThreshold=i TerminationGracePeriodSeconds?",
    "Lifecycle": "PostStart?:LifecycleHandler PreStop?:LifecycleHandler StopSignal?",
    "LifecycleHandler": "Exec?:Exec HTTPGet?:HTTPGet TCPSocket?:TCPSocket Sleep?:Sleep",
    "Exec": "Command?",
    "HTTPGet": "Path Port? Host Scheme HTTPHeaders[]:Header",
    "Header": "Name Value",
    "TCPSocket": "Port? Host",
    "GRPC": "Port=i Service?",
    "Sleep": "Seconds=i",
    "SecurityContext": "Capabilities?:Capabilities Privileged? SELinuxOptions?:SELinux WindowsOptions? RunAsUser? "
    "RunAsGroup? RunAsNonRoot? ReadOnlyRootFilesystem? AllowPrivilegeEscalation? ProcMount? SeccompProfile?:Profile "
    "AppArmorProfile?:Profile",
    "Capabilities": "Add? Drop?",
    "SELinux": "User Role Type Level",
    "Profile": "Type LocalhostProfile?",
    "PodSecurityContext": "HostNetwork=b HostPID=b HostIPC=b ShareProcessNamespace? HostUsers? "
    "SELinuxOptions?:SELinux WindowsOptions? RunAsUser? RunAsGroup? RunAsNonRoot? SupplementalGroups? "
    "SupplementalGroupsPolicy? FSGroup? FSGroupChangePolicy? Sysctls[]:Header SeccompProfile?:Profile "
    "AppArmorProfile?:Profile SELinuxChangePolicy?",
    "LocalObjectReference": "Name",
    "Toleration": "Key Operator Value Effect TolerationSeconds?",
    "HostAlias": "IP Hostnames?",
    "PodDNSConfig": "Nameservers? Searches? Options[]:DNSOption",
    "DNSOption": "Name Value?",
    "PodReadinessGate": "ConditionType",
    "PodOS": "Name",
    "PodSchedulingGate": "Name",
    "PodResourceClaim": "Name ResourceClaimName? ResourceClaimTemplateName?",
    "TopologySpreadConstraint": "MaxSkew=i TopologyKey WhenUnsatisfiable LabelSelector? MinDomains? "
    "NodeAffinityPolicy? NodeTaintsPolicy? MatchLabelKeys?",
    "Affinity": "NodeAffinity?:NodeAffinity PodAffinity?:PodAffinity PodAntiAffinity?:PodAffinity",
    "NodeAffinity": "RequiredDuringSchedulingIgnoredDuringExecution?:NodeSelector "
    "PreferredDuringSchedulingIgnoredDuringExecution[]:PreferredNode",
    "NodeSelector": "NodeSelectorTerms[]:NodeTerm",
    "NodeTerm": "MatchExpressions[]:NodeRule MatchFields[]:NodeRule",
    "NodeRule": "Key Operator Values?",
    "PreferredNode": "Weight=i Preference:NodeTerm",
    "PodAffinity": "RequiredDuringSchedulingIgnoredDuringExecution[]:PodTerm "
    "PreferredDuringSchedulingIgnoredDuringExecution[]:PreferredPod",
    "PodTerm": "LabelSelector? Namespaces? TopologyKey NamespaceSelector? MatchLabelKeys? MismatchLabelKeys?",
    "PreferredPod": "Weight=i PodAffinityTerm:PodTerm",
}
_TYPES["EphemeralContainer"] = f"{_TYPES['Container']} TargetContainerName"
_ZEROES: dict[str, object] = {"": "", "i": 0, "b": False, "q": "0"}
_OF_HOST = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
_FIELD = re.compile(r"(\w+)(?:=(\w)|(\?|\[\])?(?::(\w+))?)$")
_CONTEXT_LINES = 3


def _json_name(go_name: str) -> str:
    """``DNSPolicy`` is ``dnsPolicy`` on the wire."""
    head = re.match(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]+$|[A-Z]", go_name)
    return go_name if head is None else head[0].lower() + go_name[head.end() :]


@cache
def _fields(name: str) -> tuple[tuple[str, str, str, str, str], ...]:
    found = []
    for text in _TYPES[name].split():
        parsed = _FIELD.match(text)
        assert parsed is not None, text
        go_name, scalar, kind, inner = (part or "" for part in parsed.groups())
        found.append((go_name, _json_name(go_name), scalar, kind, inner))
    return tuple(found)


def _plain(value: Any) -> Any:
    """A value without a type of its own; Go sorts the keys of maps."""
    return dict(sorted(value.items())) if isinstance(value, dict) else value


def _struct(obj: Object, name: str) -> Object:
    out: Object = {}
    for go_name, json_name, scalar, kind, inner in _fields(name):
        value = obj.get(json_name)
        if kind == "[]":
            out[go_name] = [_struct(v, inner) for v in value] if value else None
        elif inner:
            out[go_name] = None if kind == "?" and value is None else _struct(value or {}, inner)
        elif kind == "?":
            out[go_name] = _plain(value)
        else:
            out[go_name] = _ZEROES[scalar] if value is None else value
    return out


def pod_spec(spec: Object) -> Object:
    """A PodSpec in its internal form."""
    context = spec.get("securityContext")
    host = {name: spec[name] for name in _OF_HOST if name in spec}
    if context is not None or host:
        spec = {**spec, "securityContext": {**(context or {}), **host}}
    return _struct(spec, "PodSpec")


def pod_template(template: Object) -> Object:
    """A PodTemplateSpec in its internal form: its metadata keeps the JSON names."""
    return {**(template.get("metadata") or {}), "Spec": pod_spec(template.get("spec") or {})}


def _lines(spec: Object) -> list[str]:
    text = json.dumps(pod_spec(spec), indent=1, ensure_ascii=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    # Go prints an empty list or map on one line, as Python does.
    return text.splitlines()


def difference(old: Object, new: Object) -> str:
    """What differs between two PodSpecs: a unified diff of their internal forms."""
    found = list(difflib.unified_diff(_lines(old), _lines(new), n=_CONTEXT_LINES, lineterm=""))[2:]
    return "".join(f"{line}\n" for line in found)

"""The objects that an issuance makes: the Secret of the next key, the request, the TLS Secret; pure.

Upstream: keymanager, requestmanager and internal/controller/certificates (secrets.go) of cert-manager.
"""

from __future__ import annotations

import base64

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.certificates import keys, policies, signing
from podwalk.certificates.keys import PrivateKey
from podwalk.certificates.kinds import CERTIFICATE_REQUEST
from podwalk.certificates.policies import GROUP

NEXT_KEY = f"{GROUP}/next-private-key"
PART_OF = "controller.cert-manager.io/fao"
REVISION = f"{GROUP}/certificate-revision"
KEY_SECRET = f"{GROUP}/private-key-secret-name"
_NOT_COPIED = ("kubectl.kubernetes.io/", "fluxcd.io/", "argocd.argoproj.io/")


def revision(request: Object) -> int:
    """The revision of a Certificate that a request is for; -1 where it says none."""
    text = meta.annotations(request).get(REVISION, "")
    return int(text) if text.isdigit() else -1


def cannot_regenerate(spec: Object, wrong: list[str]) -> str:
    """What the author of a Certificate is told whose key may not be made anew."""
    return (
        f'User intervention required: existing private key in Secret "{spec["secretName"]}" does not match '
        f"requirements on Certificate resource, mismatching fields: [{' '.join(wrong)}], but cert-manager cannot "
        "create new private key as the Certificate's .spec.privateKey.rotationPolicy is unset or set to Never. To "
        "allow cert-manager to create a new private key you can set .spec.privateKey.rotationPolicy to 'Always' (this "
        "will result in the private key being regenerated every time a cert is renewed) "
    )


def key_secret(crt: Object, key: PrivateKey, name: str | None) -> Object:
    """The Secret that keeps a Certificate's next key while it is being issued."""
    metadata: Object = {
        "namespace": meta.namespace(crt),
        "labels": {NEXT_KEY: "true", PART_OF: "true"},
        "ownerReferences": [meta.owner_reference(crt)],
    }
    metadata |= {"name": name} if name else {"generateName": f"{meta.name(crt)[:57]}-"}
    data = {"tls.key": base64.b64encode(keys.dump(key, "PKCS8")).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def certificate_request(crt: Object, pem: bytes, number: int) -> Object:
    """The CertificateRequest of a revision, with its signing request."""
    spec = crt["spec"]
    asked: Object = {"request": base64.b64encode(pem).decode(), "issuerRef": spec["issuerRef"]}
    asked |= {field: spec[field] for field in ("duration", "isCA", "usages") if spec.get(field) is not None}
    annotations = {
        **{k: v for k, v in meta.annotations(crt).items() if not k.startswith(_NOT_COPIED)},
        REVISION: str(number),
        KEY_SECRET: crt["status"]["nextPrivateKeySecretName"],
        policies.CERTIFICATE_NAME: meta.name(crt),
    }
    metadata = {
        "name": f"{meta.name(crt)[:52]}-{number}",
        "namespace": meta.namespace(crt),
        "annotations": annotations,
        "labels": dict(meta.labels(crt)),
        "ownerReferences": [meta.owner_reference(crt)],
    }
    return {
        "apiVersion": CERTIFICATE_REQUEST.api_version,
        "kind": "CertificateRequest",
        "metadata": metadata,
        "spec": asked,
    }


def tls_secret(crt: Object, data: dict[str, bytes], kind: str) -> Object:
    """The Secret, with annotations that say what is in it (AnnotationsForCertificate)."""
    names, ref = signing.names_of(signing.read_chain(data["tls.crt"])[0]), crt["spec"]["issuerRef"]
    template = crt["spec"].get("secretTemplate") or {}
    annotations = {
        **(template.get("annotations") or {}),
        f"{GROUP}/alt-names": ",".join(names.dns),
        policies.CERTIFICATE_NAME: meta.name(crt),
        f"{GROUP}/common-name": names.common,
        f"{GROUP}/ip-sans": ",".join(names.addresses),
        f"{GROUP}/uri-sans": ",".join(names.uris),
        policies.ISSUER_GROUP: ref.get("group") or "",
        policies.ISSUER_KIND: ref.get("kind") or "Issuer",
        policies.ISSUER_NAME: ref["name"],
    }
    metadata = {
        "name": crt["spec"]["secretName"],
        "namespace": meta.namespace(crt),
        "annotations": annotations,
        "labels": {**(template.get("labels") or {}), PART_OF: "true"},
    }
    encoded = {name: base64.b64encode(content).decode() for name, content in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": encoded}

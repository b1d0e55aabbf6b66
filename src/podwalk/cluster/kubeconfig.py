"""The kubeconfig of an embedded cluster."""

from __future__ import annotations

import base64


def render(name: str, port: int, ca_cert: bytes, token: str) -> str:
    """A kubeconfig whose context is ``podwalk-NAME``, for the API server on the host's loopback. YAML text."""
    context = context_name(name)
    ca = base64.b64encode(ca_cert).decode()
    return f"""apiVersion: v1
kind: Config
clusters:
- name: {context}
  cluster:
    server: https://127.0.0.1:{port}
    certificate-authority-data: {ca}
users:
- name: {context}
  user:
    token: {token}
contexts:
- name: {context}
  context:
    cluster: {context}
    user: {context}
    namespace: default
current-context: {context}
"""


def context_name(name: str) -> str:
    """The context's name."""
    return f"podwalk-{name}"

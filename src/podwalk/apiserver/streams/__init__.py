"""Long-lived streams of Pods: logs, exec, attach, port-forward. The API server stands between client and kubelet.

Stands in for pkg/registry/core/pod/rest of kube-apiserver.
"""

from __future__ import annotations

from aiohttp import web

from podwalk.api import errors
from podwalk.api.meta import Object
from podwalk.apiserver.streams.endpoint import KubeletEndpoint
from podwalk.apiserver.streams.execution import serve_execution
from podwalk.apiserver.streams.logs import serve_log
from podwalk.apiserver.streams.portforward import serve_port_forward

__all__ = ["KubeletEndpoint", "serve_stream"]


async def serve_stream(
    request: web.Request, pod: Object, subresource: str, kubelet: KubeletEndpoint
) -> web.StreamResponse:
    """Serve ``log``, ``exec``, ``attach`` or ``portforward`` of a Pod through the kubelet of its node.

    Returns the response, already sent. Raises ApiError before anything was sent where the request is refused. The
    server must run with ``handler_cancellation=True``: a client that leaves ends the call to the kubelet.
    """
    match subresource:
        case "log":
            return await serve_log(request, pod, kubelet)
        case "exec" | "attach":
            return await serve_execution(request, pod, subresource, kubelet)
        case "portforward":
            return await serve_port_forward(request, pod, kubelet)
    raise errors.method_not_allowed()

"""``pods/log``: the kubelet's text, passed on as it comes.

Upstream: pkg/registry/core/pod/rest/log.go, ValidatePodLogOptions in pkg/apis/core/validation.
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from aiohttp import web

from podwalk.api import errors, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.apiserver.streams.containers import choose_container
from podwalk.apiserver.streams.endpoint import KubeletEndpoint, Query, dial_error, session

_FLAGS = ("follow", "previous", "timestamps")
_LEAST = {"tailLines": 0, "sinceSeconds": 1, "limitBytes": 1}
_TOO_SMALL = {0: "must be greater than or equal to 0", 1: "must be greater than 0"}


def _number(field: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        parsed = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        raise errors.bad_request(f'url: query parameter "{field}" is invalid: {parsed}') from None


def log_query(pod: Object, given: Mapping[str, str]) -> Query:
    """The query for the kubelet. Raises ApiError (400, 422) where the client's makes no sense."""
    query: Query = [(f, "true") for f in _FLAGS if given.get(f) in ("true", "1", "True", "")]
    causes = []
    for field, least in _LEAST.items():
        if not given.get(field):
            continue
        number = _number(field, given[field])
        if number < least:
            causes.append(errors.cause("FieldValueInvalid", f"Invalid value: {number}: {_TOO_SMALL[least]}", field))
        query.append((field, str(number)))
    if given.get("sinceTime"):
        query.append(("sinceTime", given["sinceTime"]))
        if given.get("sinceSeconds"):
            text = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
            causes.append(errors.cause("FieldValueForbidden", text, "sinceSeconds"))
    if causes:
        raise errors.invalid("PodLogOptions", meta.name(pod), causes)
    return query


async def _refusal(response: aiohttp.ClientResponse, pod: Object) -> ApiError:
    text = (await response.text()).strip()
    name = meta.name(pod)
    match response.status:
        case 400:
            return errors.bad_request(text)
        case 404:
            message = f"the server could not find the requested resource ( pods/log {name})"
            causes = [{"reason": "UnexpectedServerResponse", "message": text}]
            return ApiError(404, "NotFound", message, {"name": name, "kind": "pods/log", "causes": causes})
    return errors.internal(text or f"the kubelet answered {response.status}")


async def serve_log(request: web.Request, pod: Object, kubelet: KubeletEndpoint) -> web.StreamResponse:
    """Answer with a container's log; with ``follow`` until the client leaves or the container ends.

    Raises ApiError where the container is not clear, the query is wrong or the kubelet does not answer.
    """
    container = choose_container(pod, request.query.get("container", ""))
    query = log_query(pod, request.query)
    if not (pod.get("spec") or {}).get("nodeName"):
        return web.Response(status=204)  # nobody has run it yet: no content, not an error
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    url = kubelet.url(f"/containerLogs/{meta.namespace(pod)}/{meta.name(pod)}/{container}", query)
    async with session() as client:
        try:
            answer = await client.get(url, headers=kubelet.headers)
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            raise ApiError(500, "", f'Get "{url}": {dial_error(kubelet, error)}') from error
        async with answer:
            if answer.status != 200:
                raise await _refusal(answer, pod)
            await response.prepare(request)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            except (ConnectionError, aiohttp.ClientError):
                return response  # one side has gone: the stream ends, as a cut connection does upstream
    return response

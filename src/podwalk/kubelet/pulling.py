"""Whether a container's image is there, and what the Events and the status say while it is not.

Stands in for pkg/kubelet/images/image_manager.go, over the catalogue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from podwalk.api.meta import Object
from podwalk.kubelet import backoff, images
from podwalk.kubelet.backoff import Backoff
from podwalk.kubelet.images import Catalogue

_ERR_IMAGE_PULL_SECONDS = 2.0


class Puller:
    """One container's image. ``event(type, reason, message)`` records, ``wait(reason, message)`` sets the state."""

    def __init__(
        self,
        catalogue: Catalogue,
        spec: Object,
        event: Callable[[str, str, str], None],
        wait: Callable[[str, str], None],
    ) -> None:
        self._catalogue = catalogue
        self._spec = spec
        self._event = event
        self._wait = wait
        self._backoff = Backoff()
        self._redefined = asyncio.Event()

    def redefine(self, spec: Object) -> None:
        """The container names another image, which has a back-off of its own: what waits for the former one goes on."""
        self._spec, self._backoff = spec, Backoff()
        self._redefined.set()

    async def ready(self) -> None:
        """Return when the catalogue has the image, at once or after the image back-off."""
        while True:
            self._redefined.clear()
            name = str(self._spec.get("image", ""))
            try:
                started = time.monotonic()
                self._catalogue.resolve(name, ["true"])
                self._pulled(name, time.monotonic() - started)
                return
            except images.InvalidImageName as error:
                message = f"{error}"
                self._event("Warning", "InspectFailed", message)
                self._event("Warning", "Failed", "Error: InvalidImageName")
                self._wait("InvalidImageName", message)
                await backoff.pause(backoff.INITIAL, self._redefined)
            except images.ImageError as error:
                await self._pull_failed(name, str(error))

    def _pulled(self, name: str, seconds: float) -> None:
        policy = self._spec.get("imagePullPolicy") or images.default_pull_policy(name)
        if policy == "Always":
            took = f"{max(1, round(seconds * 1000))}ms"
            self._event("Normal", "Pulling", f'Pulling image "{name}"')
            self._event(
                "Normal",
                "Pulled",
                f'Successfully pulled image "{name}" in {took} ({took} including waiting). Image size: 0 bytes.',
            )
        else:
            message = f'Container image "{name}" already present on machine and can be accessed by the pod'
            self._event("Normal", "Pulled", message)

    async def _pull_failed(self, name: str, error: str) -> None:
        if self._spec.get("imagePullPolicy") == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            self._event("Warning", "ErrImageNeverPull", message)
            self._event("Warning", "Failed", "Error: ErrImageNeverPull")
            self._wait("ErrImageNeverPull", message)
            await backoff.pause(backoff.INITIAL, self._redefined)
            return
        failed_at = time.monotonic()
        self._backoff.next(failed_at)
        self._event("Normal", "Pulling", f'Pulling image "{name}"')
        self._event("Warning", "Failed", f'Failed to pull image "{name}": {error}')
        self._event("Warning", "Failed", "Error: ErrImagePull")
        self._wait("ErrImagePull", error)
        if await backoff.pause(_ERR_IMAGE_PULL_SECONDS, self._redefined):
            return
        self._event("Normal", "BackOff", f'Back-off pulling image "{name}"')
        self._event("Warning", "Failed", "Error: ImagePullBackOff")
        self._wait("ImagePullBackOff", f'Back-off pulling image "{name}": ErrImagePull: {error}')
        await backoff.pause(self._backoff.remaining(failed_at), self._redefined)

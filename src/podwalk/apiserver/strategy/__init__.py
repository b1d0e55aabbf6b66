"""What the API server does to an object between decoding and storing: defaults, allocation, validation.

Stands in for pkg/apis/*/v1/defaults.go, pkg/apis/*/validation and the Service storage of kube-apiserver. The order is
upstream's: :func:`default`, :func:`prepare_create`, then :meth:`ServiceAllocator.allocate`, then :func:`validate`.
"""

from __future__ import annotations

from podwalk.apiserver.strategy.allocator import ServiceAllocator
from podwalk.apiserver.strategy.defaults import default
from podwalk.apiserver.strategy.preparing import prepare_create
from podwalk.apiserver.strategy.validation import validate
from podwalk.apiserver.strategy.warnings import warnings

__all__ = ["ServiceAllocator", "default", "prepare_create", "validate", "warnings"]

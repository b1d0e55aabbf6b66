"""The time at which the objects of this folder's tests are looked at."""

from datetime import UTC, datetime, timedelta

from podwalk.api import meta

NOW = datetime.now(UTC)


def ago(**delta):
    return meta.format_time(NOW - timedelta(**delta))


class Stopped(datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW

"""`packline link`: an address from which anybody can read an object for a while."""

from __future__ import annotations

from packline.errors import GiveUp
from packline.line.order import Order


def link(order: Order, key: str, seconds: int) -> str:
    """A signed address.

    Raises
    ------
    GiveUp
        Where the bucket has no such object.
    FixSettings
        Where the bucket cannot sign.
    """
    from packline.bucket import open_bucket

    bucket = open_bucket(order.read_settings().bucket)
    try:
        there = bucket.exists(key)
    except ValueError:
        there = False
    if not there:
        raise GiveUp(f"Bucket: there is no object {key}; take a key from a release's manifest.")
    return bucket.signed_url(key, seconds)

"""Delivery: the files that a shop gets of a select, cut, scaled and encoded as ``[formats]`` asks."""

from packline.delivery.delivery import DELIVERY_VERSION, delivery_digests
from packline.delivery.encode import ENDINGS, encode
from packline.delivery.frame import Frame, frame

__all__ = ["DELIVERY_VERSION", "ENDINGS", "Frame", "delivery_digests", "encode", "frame"]

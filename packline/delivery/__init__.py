"""Delivery: the files that a shop gets of a select, cut, scaled and encoded as ``[formats]`` asks."""

from packline.delivery.delivery import DELIVERY_VERSION, delivery_digests
from packline.delivery.encode import ENDINGS, MEDIA_TYPES, Words, encode
from packline.delivery.frame import Box, Frame, Pixels, cut, frame, product_box

__all__ = [
    "DELIVERY_VERSION",
    "ENDINGS",
    "MEDIA_TYPES",
    "Box",
    "Frame",
    "Pixels",
    "Words",
    "cut",
    "delivery_digests",
    "encode",
    "frame",
    "product_box",
]

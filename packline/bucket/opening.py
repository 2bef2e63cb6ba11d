"""Opening the bucket that the settings name."""

from __future__ import annotations

from urllib.parse import urlsplit

from packline.bucket.folder import FolderBucket
from packline.bucket.protocol import Bucket
from packline.bucket.s3 import S3Bucket
from packline.errors import FixSettings
from packline.settings import BucketSettings


def open_bucket(settings: BucketSettings) -> Bucket:
    """The bucket that the settings name; nothing is written yet.

    Raises
    ------
    FixSettings
        Where its URL names neither a folder nor an S3 bucket.
    """
    scheme = urlsplit(settings.url).scheme if "://" in settings.url else ""
    if scheme == "s3":
        return S3Bucket(settings)
    if scheme:
        raise FixSettings(
            f"Settings: bucket.url {settings.url} is neither a folder nor s3://bucket/prefix; name one."
        )
    return FolderBucket.at(settings)

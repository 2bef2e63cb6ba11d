"""The bucket: where published pictures and manifests lie, a folder or any S3 API, with the same keys."""

from packline.bucket.folder import FolderBucket
from packline.bucket.keys import escape
from packline.bucket.opening import open_bucket
from packline.bucket.protocol import Bucket, Entry, PutResult, Unfinished
from packline.bucket.s3 import S3Bucket
from packline.bucket.transfer import in_parallel

__all__ = [
    "Bucket",
    "Entry",
    "FolderBucket",
    "PutResult",
    "S3Bucket",
    "Unfinished",
    "escape",
    "in_parallel",
    "open_bucket",
]

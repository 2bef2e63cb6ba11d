"""What an S3 API's faults mean: the sentence for a person, and whether the same call may succeed again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packline.errors import FixSettings, PacklineError, TryAgain

ABSENT = ("NoSuchKey", "404")
TAKEN = ("PreconditionFailed", "412")

_REFUSED = (
    "AccessDenied",
    "403",
    "Forbidden",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
)

# botocore tries timeouts, lost connections, throttling and 5xx again by itself; these it does not
_BROKEN_CODES = (
    "BadDigest",
    "InvalidDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
    "IncompleteBody",
    "OperationAborted",
    "ConditionalRequestConflict",
)
_BROKEN_NAMES = (
    "Garbled",
    "FlexibleChecksumError",
    "IncompleteReadError",
    "ResponseStreamingError",
    "ResponseParserError",
)


class Garbled(Exception):
    """The bytes that arrived are not those that were sent."""


def fact(answer: Mapping[str, Any], name: str) -> Any:
    """What an answer must say.

    Raises
    ------
    Garbled
        Where it does not: an answer that was cut in its headers reads like a success that says nothing.
    """
    if name not in answer:
        raise Garbled(f"the answer does not tell {name}")
    return answer[name]


def code(error: Exception) -> str:
    """The code that the server answered with; empty where it was none."""
    # a cut connection has a response too: None
    answer = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


def is_broken(error: Exception) -> bool:
    """Whether a transfer broke on its way, so that it is worth another try at once."""
    kind = type(error)
    # a cut inside an answer's body reaches us as urllib3 raised it
    return code(error) in _BROKEN_CODES or kind.__name__ in _BROKEN_NAMES or kind.__module__ == _URLLIB3


_URLLIB3 = "urllib3.exceptions"


def is_cut(error: Exception) -> bool:
    """Whether reading a body broke off: as `is_broken`, and timeouts, which nobody tries again there."""
    return is_broken(error) or type(error).__name__ in ("ReadTimeoutError", "ConnectionClosedError")


def is_garbled(error: Exception) -> bool:
    """Whether the bytes came whole and were not those that were written."""
    return type(error).__name__ in ("Garbled", "FlexibleChecksumError")


def is_of_transfer(error: Exception) -> bool:
    """Whether an error is one of the bucket's and not a mistake of the program's."""
    known = ("botocore.", "boto3.", "urllib3.", "packline.bucket.")
    return type(error).__module__.startswith(known) or type(error) is ValueError


def sentence(error: Exception, bucket: str, url: str, endpoint: str) -> PacklineError:
    """The sentence for what boto3 says, typed by what to do about it."""
    said, name = code(error), type(error).__name__
    at = f" at {endpoint}" if endpoint else ""
    if said in ("NoSuchBucket", "404"):
        return FixSettings(f"Bucket {bucket}{at} does not exist; create it or correct bucket.url.")
    if said in _REFUSED:
        return FixSettings(
            f"Bucket {bucket}{at} refuses these credentials ({said}); give them s3:PutObject there."
        )
    if name in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError"):
        return FixSettings(
            f"Bucket {bucket}{at}: no AWS credentials were found; set AWS_ACCESS_KEY_ID and its secret."
        )
    if name in ("NoRegionError", "InvalidRegionError", "ParamValidationError", "ValueError"):
        return FixSettings(f"Bucket {url}{at} cannot be used ({error}); correct [bucket].")
    if said in ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return FixSettings(f"Bucket {bucket}{at} lies in another region; correct bucket.region.")
    if said in ("NotImplemented", "501"):
        return FixSettings(
            f"Bucket {bucket}{at} knows no conditional writes (If-None-Match); use a newer server."
        )
    if said:
        return TryAgain(f"Bucket {bucket}{at} answered {said}; try again.", 5)
    if is_broken(error):
        return TryAgain(f"Bucket {bucket}{at}: a transfer broke {_TIMES} ({error}); try again.", 5)
    return TryAgain(
        f"Bucket {bucket}{at} cannot be reached ({error}); try again or correct bucket.endpoint.", 5
    )


_TIMES = "again and again"

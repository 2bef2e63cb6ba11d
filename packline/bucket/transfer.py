"""Moving many things at once, and again where a transfer broke."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 6
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 10.0


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """What came of one item: a result, or the error that was raised."""

    item: Item
    result: Result | None
    error: Exception | None

    def value(self) -> Result:
        """The result, or the error raised."""
        if self.error is not None:
            raise self.error
        return cast(Result, self.result)


def again(call: Callable[[], Result], worth: Callable[[Exception], bool]) -> Result:
    """Call, and call again while `worth` says of its error that it may pass, `TRIES` times at most."""
    for turn in range(TRIES - 1):
        try:
            return call()
        except Exception as error:
            if not worth(error):
                raise
        wait(turn)
    return call()


def wait(turn: int) -> None:
    """Sleep before another try: a random time of up to twice as long as the turn before.

    Whoever failed together must not come back together ("full jitter",
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """
    time.sleep(random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**turn)))


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Generator[Done[Item, Result], None, None]:
    """Work on items in threads and give the outcomes in the items' order.

    No more than twice `threads` items are begun beyond the one whose outcome was taken last, so memory is
    bounded whatever `items` brings. Whoever stops taking outcomes stops the work: what was begun is finished,
    nothing else is begun.
    """
    if threads == 1:
        for item in items:
            yield _try(work, item)
        return
    begun: deque[Future[Done[Item, Result]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="bucket") as pool:
        try:
            for item in items:
                begun.append(pool.submit(_try, work, item))
                if len(begun) >= 2 * threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def _try(work: Callable[[Item], Result], item: Item) -> Done[Item, Result]:
    try:
        return Done(item, work(item), None)
    except Exception as error:
        return Done(item, None, error)

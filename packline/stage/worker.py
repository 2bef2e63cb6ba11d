"""The process that draws: `python -m packline.stage.worker MEMORY SECONDS FOLDER`, started by `service`.

It imports everything heavy once and then only waits: it makes no OpenGL context and no thread. For each
product it forks a child, which limits itself, locks itself in (`sandbox`), draws, answers and ends. So a
crash, a hang or whatever else a stranger's file does to a process is over with its product.

Reads one JSON job a line on standard input, writes one JSON reply a line on standard output; ends when
standard input does. Temporary files lie in FOLDER.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from packline.stage import device, drawing, sandbox
from packline.stage.glb import MAX_BYTES

#: Files written may be as large as a converted model, and twice that for the converter's own.
_FILE_BYTES = 2 * MAX_BYTES
_OPEN_FILES = 256
#: How many more threads than now the machine may have; llvmpipe and the converter need a handful.
_THREADS = 4096
#: A longer reply is no reply.
_LONGEST_REPLY = 4 << 20
_REPLY = 3
_SHADERS = "shaders"
_MEND = "check the model and export it again."


def main() -> None:
    """Answer jobs until standard input ends."""
    memory, seconds, folder = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    # replies go to a private descriptor: whatever a library prints must not mix with them
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sandbox.adopt_orphans()
    drawing.import_all()
    # what is there now is never freed: children need not copy it to count references
    gc.collect()
    gc.freeze()
    for line in sys.stdin.buffer:
        job = json.loads(line)
        shaders = Path(job["shaders"])
        if not shaders.is_dir() and _may_write(shaders.parent):
            _draw_apart({"model": "warm-up", "reads": [], "fills": str(shaders)}, memory, seconds, folder)
        reply = _draw_apart(job, memory, seconds, folder)
        try:
            replies.write(json.dumps(reply).encode() + b"\n")
            replies.flush()
        except BrokenPipeError:
            break
    # who wanted all this may have been killed and cannot clear up
    shutil.rmtree(folder, ignore_errors=True)


def _draw_apart(job: dict[str, Any], memory: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Draw one product in a child; what kills it comes back as an error sentence."""
    private = Path(tempfile.mkdtemp(prefix="product-", dir=folder))
    # a copy: what a stranger's model makes of its own must not reach the next product
    with contextlib.suppress(OSError, shutil.Error):
        shutil.copytree(job.get("shaders", ""), private / _SHADERS)
    inlet, outlet = os.pipe()
    with tempfile.TemporaryFile(dir=folder) as said:
        child = os.fork()
        if child == 0:
            _be_child(job, memory, seconds, private, outlet, said.fileno())
        os.close(outlet)
        data = _listen(inlet, time.monotonic() + seconds)
        os.close(inlet)
        code = _ended(child, grace=0.0 if data is None or data.endswith(b"\n") else 5.0)
        _end_descendants()
        if "fills" in job and data:
            _keep_shaders(private / _SHADERS, Path(job["fills"]))
        shutil.rmtree(private, ignore_errors=True)
        name = Path(job["model"]).name
        if data is None:
            sentence = (
                f"drawing {name} took longer than {seconds:g} s and was stopped; simplify the model, or give "
                "the machine less to do at once."
            )
            return {"error": sentence}
        if data.endswith(b"\n"):
            return _checked(data) or {"error": f"the renderer crashed on {name}; {_MEND}"}
        said.seek(max(said.seek(0, os.SEEK_END) - 4096, 0))
        sentence = _obituary(name, code, seconds, said.read().decode(errors="replace"))
        # a product may have asked for too much memory, or somebody else did: that is for another try to say
        return {"error": sentence, "passing": code == -signal.SIGKILL}


def _listen(inlet: int, deadline: float) -> bytes | None:
    """What the child says, to the end of its line or of itself; None where time ran out."""
    poll = select.poll()
    poll.register(inlet, select.POLLIN)
    poll.register(0, 0)  # only whether whoever wanted this is still there
    data = b""
    while not data.endswith(b"\n") and len(data) < _LONGEST_REPLY:
        left = deadline - time.monotonic()
        events = poll.poll(max(left, 0) * 1000)
        if left <= 0 or not events or any(one == 0 for one, _ in events):
            return None
        piece = os.read(inlet, 65536)
        if not piece:
            break
        data += piece
    return data


def _ended(child: int, grace: float) -> int:
    """A child's exit code or, negative, its signal; it is killed where it does not end by itself in time."""
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _may_write(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return os.access(folder, os.W_OK)


def _keep_shaders(compiled: Path, folder: Path) -> None:
    """Keep what the warm-up has compiled, for all products to start from; the versions before it go."""
    with contextlib.suppress(OSError, shutil.Error):
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
        shutil.copytree(compiled, draft, dirs_exist_ok=True)
        draft.replace(folder)
        for old in folder.parent.iterdir():
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)


def _end_descendants() -> None:
    """End whatever a child has left behind; `sandbox.adopt_orphans` makes it ours."""
    while True:
        for task in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):
                for one in (task / "children").read_text().split():
                    os.kill(int(one), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _obituary(name: str, code: int, seconds: float, said: str) -> str:
    """Why a child ended without an answer, in a sentence."""
    if code == -signal.SIGXCPU:
        return f"drawing {name} took more than {seconds:g} s of processor time; simplify the model."
    if code == -signal.SIGKILL:
        return f"drawing {name} was killed, most likely for want of memory; simplify the model or add memory."
    if "bad_alloc" in said:
        return drawing.too_much_memory(name)
    lines = said.strip().splitlines()
    reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    last = f": {lines[-1][:160]}" if lines else ""
    return f"the renderer crashed on {name} ({reason}{last}); {_MEND}"


def _checked(data: bytes) -> dict[str, Any] | None:
    """A child's reply; None where it is not one, for a model may have got the better of the child."""
    try:
        reply = json.loads(data)
        failed = {str(name): (str(why), bool(lasting)) for name, (why, lasting) in reply["failed"].items()}
        return {
            "error": str(reply["error"]),
            "kind": str(reply["kind"]),
            "lasting": bool(reply["lasting"]),
            "failed": failed,
            "notes": [str(note) for note in reply["notes"]],
            "gaps": [str(gap) for gap in reply["gaps"]],
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


# --- in the child

_EMPTY: dict[str, Any] = {"error": "", "kind": "", "lasting": False, "failed": {}, "notes": []}


def _be_child(
    job: dict[str, Any], memory: int, seconds: float, private: Path, outlet: int, said: int
) -> NoReturn:
    """Limit and lock in this process, draw, answer, end."""
    code = 1
    try:
        gaps = _lock_in(job, memory, seconds, private, outlet, said)
        reply = {**_EMPTY, **(drawing.warm_up() if "fills" in job else drawing.answer(job)), "gaps": gaps}
        data = json.dumps(reply).encode() + b"\n"
        while data:
            data = data[os.write(_REPLY, data) :]
        code = 0
    except BaseException as error:  # nothing may return into the parent's loop
        with contextlib.suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def _lock_in(
    job: dict[str, Any], memory: int, seconds: float, private: Path, outlet: int, said: int
) -> tuple[str, ...]:
    os.setsid()
    sandbox.die_with_parent()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, number in ((nothing, 0), (said, 1), (said, 2), (outlet, _REPLY)):
        os.dup2(descriptor, number)
    os.closerange(_REPLY + 1, os.sysconf("SC_OPEN_MAX"))
    with contextlib.suppress(OSError):
        # if the machine runs out of memory, this is what to end
        Path("/proc/self/oom_score_adj").write_text("1000")

    os.environ.update(TMPDIR=str(private), HOME=str(private))
    shaders = private / _SHADERS
    shaders.mkdir(exist_ok=True)
    # Mesa's and NVIDIA's names for it
    os.environ.update(MESA_SHADER_CACHE_DIR=str(shaders), __GL_SHADER_DISK_CACHE_PATH=str(shaders))
    tempfile.tempdir = str(private)
    wanted = os.environ.get(device.SETTING, "")
    hardware = device.hardware_nodes(wanted)
    _limit(memory, seconds, bool(hardware))

    run, read = sandbox.system_paths()
    if hardware:
        # a GPU's driver looks round the bus, and into what the kernel says of itself
        read += tuple(map(Path, ("/sys", "/proc/driver", "/proc/modules", "/proc/devices", "/proc/version")))
    programs = Path(job["model"]).suffix.lower() in drawing.CONVERTED
    converter = shutil.which(drawing.CONVERTER) if programs else None
    if converter:
        home = Path(converter).resolve().parent
        run, read = (*run, home), (*read, home.parent / "lib")
    return sandbox.enter(
        sandbox.Allowed(
            read=(*read, *map(Path, job["reads"])),
            write=(private, *([Path(job["drafts"])] if "drafts" in job else [])),
            run=run,
            devices=hardware,
            programs=programs,
        )
    )


def _limit(memory: int, seconds: float, hardware: bool) -> None:
    """Limits on everything that a process can take much of."""
    processors = os.cpu_count() or 1
    # threads draw side by side, and their time adds up
    ticks = int(seconds + 1) * processors
    threads = int(Path("/proc/loadavg").read_text().split()[3].split("/")[1])
    for what, limit in (
        # a GPU's driver reserves far more addresses than it uses; what it writes to is limited all the same
        (resource.RLIMIT_AS, resource.RLIM_INFINITY if hardware else memory),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, threads + _THREADS),
        (resource.RLIMIT_CORE, 0),
    ):
        sandbox.lower(what, limit)
    sandbox.lower(resource.RLIMIT_CPU, ticks, ticks + 5)


if __name__ == "__main__":
    main()

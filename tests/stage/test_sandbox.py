"""A process in the sandbox can do what drawing needs, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from packline.stage import sandbox

PASS, KILL, NOT_PERMITTED, UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
NUMBERS = {
    "x86_64": {"read": 0, "socket": 41, "clone": 56, "execve": 59, "kill": 62, "ptrace": 101,
               "mount": 165, "tgkill": 234, "prlimit64": 302, "io_uring_setup": 425, "clone3": 435},
    "aarch64": {"read": 63, "socket": 198, "clone": 220, "execve": 221, "kill": 129, "ptrace": 117,
                "mount": 40, "tgkill": 131, "prlimit64": 261, "io_uring_setup": 425, "clone3": 435},
}  # fmt: skip
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def tries(folder: Path, actions: dict[str, str], programs: bool) -> dict[str, str]:
    """What becomes of Python statements in a sandbox that may read `model` and write `drafts`."""
    script = f"""
import json, os, resource, socket, subprocess, threading
from pathlib import Path
from packline.stage import sandbox
folder = Path({str(folder)!r})
run, read = sandbox.system_paths()
gaps = sandbox.enter(sandbox.Allowed(
    read=(*read, folder / "model"), write=(folder / "drafts",), run=run, programs={programs}
))
found = {{"gaps": " ".join(gaps)}}
for name, action in {actions!r}.items():
    try:
        exec(action)
    except OSError as error:
        found[name] = type(error).__name__
    else:
        found[name] = "done"
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def prepare(folder: Path) -> None:
    for name in ("model", "drafts", "other"):
        (folder / name).mkdir()
        (folder / name / "file").write_text("what lies here")
    (folder / "model" / "link").symlink_to(folder / "other" / "file")


def needs(version: int) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        sandbox.landlock_version() < version, reason=f"this kernel's Landlock is older than version {version}"
    )


@needs(1)
@pytest.mark.parametrize("programs", [False, True])
def test_only_the_named_files_can_be_reached(tmp_path: Path, programs: bool) -> None:
    prepare(tmp_path)
    allowed = {
        "read the model": "(folder / 'model/file').read_text()",
        "list its folder": "os.listdir(folder / 'model')",
        "write a draft": "(folder / 'drafts/new').write_text('x')",
        "make a folder": "(folder / 'drafts/some/more').mkdir(parents=True)",
        "move": "(folder / 'drafts/new').rename(folder / 'drafts/newer')",
        "delete": "(folder / 'drafts/file').unlink()",
        "random numbers": "open('/dev/urandom', 'rb').read(4)",
        "throw away": "open('/dev/null', 'w').write('x')",
        "a library": "import xml.dom.minidom",
    }
    denied = {
        "read beside": "(folder / 'other/file').read_text()",
        "list beside": "os.listdir(folder / 'other')",
        "follow a link": "(folder / 'model/link').read_text()",
        "climb": "(folder / 'model/../other/file').read_text()",
        "link to it": "os.link(folder / 'other/file', folder / 'drafts/linked')",
        "move it here": "(folder / 'other/file').rename(folder / 'drafts/moved')",
        "change the model": "(folder / 'model/file').write_text('x')",
        "truncate it": "os.truncate(folder / 'model/file', 0)",
        "write beside": "(folder / 'new').write_text('x')",
        "home": f"open({str(Path.home() / '.packline-test')!r}, 'w')",
        "passwords": "open('/etc/passwd')",
        "another's environment": "open(f'/proc/{os.getppid()}/environ')",
        "a disk": "open('/dev/mem', 'rb')",
        "a link of its own": "os.symlink('/etc/passwd', folder / 'drafts/out')",
        "a device of its own": "os.mknod(folder / 'drafts/null', 0o20666, os.makedev(1, 3))",
    }
    found = tries(tmp_path, {**allowed, **denied}, programs)
    assert {name: found[name] for name in allowed} == dict.fromkeys(allowed, "done")
    assert {name: found[name] for name in denied if found[name] == "done"} == {}
    assert (tmp_path / "model" / "file").read_text() == "what lies here"
    assert not (Path.home() / ".packline-test").exists()


@needs(6)
@pytest.mark.parametrize("programs", [False, True])
def test_there_is_no_network_and_no_way_to_other_processes(tmp_path: Path, programs: bool) -> None:
    prepare(tmp_path)
    other = os.getpid()
    allowed = {
        "a thread": "one = threading.Thread(target=int); one.start(); one.join()",
        "a pipe": "os.pipe()",
        "its own limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    }
    starts = {
        "a program": "subprocess.run(['/bin/true'], check=True)",
        "a fork": "os.waitpid(os.fork() or os._exit(0), 0)",
    }
    denied = {
        "internet": "socket.socket()",
        "internet 6": "socket.socket(socket.AF_INET6)",
        "packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "a local socket": "socket.socket(socket.AF_UNIX)",
        "signals": f"os.kill({other}, 0)",
        "limits of others": f"resource.prlimit({other}, resource.RLIMIT_CPU)",
        "a program of its own": f"subprocess.run([{str(tmp_path / 'drafts' / 'program')!r}])",
    }
    (tmp_path / "drafts" / "program").write_text("#!/bin/true\n")
    (tmp_path / "drafts" / "program").chmod(0o755)
    denied["a namespace"] = "if sandbox._libc.unshare(0x10000000): raise PermissionError"
    found = tries(tmp_path, {**allowed, **starts, **denied}, programs)
    assert found["gaps"] == ""
    assert {name: found[name] for name in allowed} == dict.fromkeys(allowed, "done")
    assert {found[name] for name in starts} == {"done" if programs else "PermissionError"}
    assert {name: found[name] for name in denied} == dict.fromkeys(denied, "PermissionError")


def test_what_a_program_starts_is_locked_in_too(tmp_path: Path) -> None:
    prepare(tmp_path)
    look = "subprocess.run(['/bin/cat', str(folder / '{}/file')], check=True, capture_output=True)"
    actions = {
        name: f"try: {look.format(name)}\nexcept subprocess.CalledProcessError: raise OSError"
        for name in ("model", "other")
    }
    found = tries(tmp_path, actions, programs=True)
    assert found == {"gaps": "", "model": "done", "other": "OSError"}


@pytest.mark.parametrize("machine", [*NUMBERS])
def test_the_filter_denies_the_right_calls_on_either_machine(machine: str) -> None:
    numbers, architecture = NUMBERS[machine], ARCHITECTURES[machine]

    def judge(call: str, argument: int = 0, programs: bool = False) -> int:
        program = sandbox.filter_program(machine, programs, process=77)
        return run_filter(program, numbers[call], architecture, argument)

    assert judge("read") == PASS
    for call in ("socket", "ptrace", "mount", "io_uring_setup"):
        assert judge(call) == judge(call, programs=True) == NOT_PERMITTED
    for call in ("execve", "kill"):
        assert (judge(call), judge(call, programs=True)) == (NOT_PERMITTED, PASS)
    assert judge("clone3") == judge("clone3", programs=True) == UNKNOWN
    thread, fork, namespace = 0x003D0F00, 0x01200011, 0x10000011
    assert (judge("clone", thread), judge("clone", thread, True)) == (PASS, PASS)
    assert (judge("clone", fork), judge("clone", fork, True)) == (NOT_PERMITTED, PASS)
    assert (judge("clone", namespace), judge("clone", namespace, True)) == (NOT_PERMITTED, NOT_PERMITTED)
    assert (judge("prlimit64", 0), judge("prlimit64", 1)) == (PASS, NOT_PERMITTED)
    assert (judge("tgkill", 77), judge("tgkill", 78), judge("tgkill", 78, True)) == (
        PASS,
        NOT_PERMITTED,
        PASS,
    )


def test_calls_of_another_architecture_end_the_process() -> None:
    program = sandbox.filter_program("x86_64", False, process=1)
    assert run_filter(program, 0, 0x40000003, 0) == KILL  # 32 bit
    assert run_filter(program, 0x40000000 | 41, ARCHITECTURES["x86_64"], 0) == NOT_PERMITTED  # x32


def test_what_a_kernel_lacks_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "landlock_version", lambda: 0)
    (sentence,) = sandbox._restrict_files(sandbox.Allowed())
    assert "this kernel has no Landlock" in sentence
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    (sentence,) = sandbox._filter_calls(False)
    assert sentence == "The sandbox cannot deny the network: it has no system call filter for riscv64."


@needs(1)
def test_an_older_kernels_landlock_still_guards_the_files(tmp_path: Path) -> None:
    prepare(tmp_path)
    for version, lacking in ((1, 2), (3, 1), (6, 0)):
        script = (
            "import sys; from pathlib import Path; from packline.stage import sandbox\n"
            f"sandbox.landlock_version = lambda: {version}\n"
            "run, read = sandbox.system_paths()\n"
            f"folder = Path({str(tmp_path)!r})\n"
            "gaps = sandbox.enter(sandbox.Allowed(read=read, write=(folder / 'drafts',), run=run))\n"
            "(folder / 'drafts' / 'x').write_text('x')\n"
            "print(len(gaps))\n"
            "(folder / 'other' / 'file').read_text()\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.stdout == f"{lacking}\n"
        assert "PermissionError" in done.stderr


def run_filter(
    program: Iterable[tuple[int, int, int, int]], number: int, architecture: int, first: int
) -> int:
    """What a classic BPF program says of a system call."""
    fields = {0: number, 4: architecture, 16: first}
    code, at, value = [*program], 0, 0
    while True:
        operation, yes, no, constant = code[at]
        at += 1
        match operation:
            case 0x20:
                value = fields[constant]
            case 0x15:
                at += yes if value == constant else no
            case 0x35:
                at += yes if value >= constant else no
            case 0x45:
                at += yes if value & constant else no
            case 0x06:
                return constant
            case _:
                raise AssertionError(f"unknown instruction {operation:#x}")

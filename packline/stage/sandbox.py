"""A cage for the process that reads a stranger's model: no network, no foreign files, no other processes.

Two parts of the Linux kernel that need no rights and no other program: a seccomp filter denies system calls
that drawing never needs, Landlock denies every file but the named ones. Both are irrevocable and inherited by
whatever the process starts. Only `ctypes` is used; the numbers are from the kernel's headers, and
https://docs.kernel.org/userspace-api/landlock.html and seccomp(2) describe the interfaces.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import stat
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_SET_CHILD_SUBREAPER = 1, 22, 38, 36


@dataclass(frozen=True)
class Allowed:
    """What a sandboxed process may reach; a folder stands for all that is below it.

    Parameters
    ----------
    read
        Files and folders that it may read.
    write
        Folders in which it may also make, change and remove files.
    run
        Folders that it may also start programs from.
    devices
        Device nodes, or folders of them, that it may read, write and control.
    programs
        Whether it may start programs at all.
    """

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    run: tuple[Path, ...] = ()
    devices: tuple[Path, ...] = ()
    programs: bool = False


def enter(allowed: Allowed) -> tuple[str, ...]:
    """Lock this process in, for good. It must have one thread.

    Returns
    -------
    tuple of str
        A sentence for each protection that this machine's kernel does not offer.
    """
    _drop_capabilities()
    if _prctl(_PR_SET_NO_NEW_PRIVS, 1) != 0:
        return (f"The sandbox is off: no_new_privs was refused ({_last_error()}).",)
    # Landlock first: the filter could not be in its way, but so it stays if the list below grows
    return (*_restrict_files(allowed), *_filter_calls(allowed.programs))


def die_with_parent() -> None:
    """Have the kernel kill this process as soon as the thread that forked it ends, however it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def lower(what: int, soft: int, hard: int | None = None) -> None:
    """Set a limit of `resource`, where it is not lower already; `hard` is `soft` where it is not given."""
    allowed = resource.getrlimit(what)[1]
    limits = [soft, soft if hard is None else hard]
    if allowed != resource.RLIM_INFINITY:
        limits = [allowed if one == resource.RLIM_INFINITY else min(one, allowed) for one in limits]
    resource.setrlimit(what, (limits[0], limits[1]))


#: Where the user says that libraries and EGL's drivers are.
_PATHS = ("LD_LIBRARY_PATH", "__EGL_VENDOR_LIBRARY_DIRS", "__EGL_VENDOR_LIBRARY_FILENAMES")


def system_paths() -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """What any Python program needs of the machine: folders of programs and libraries, and files to read."""
    run = [Path(name) for name in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")]
    read = [
        # the linker's cache, fonts, EGL's vendors and Mesa's settings, time zone
        *(Path("/etc") / name for name in ("ld.so.cache", "fonts", "glvnd", "drirc", "localtime")),
        # how many processors there are and what they can do: llvmpipe compiles for them
        Path("/proc/cpuinfo"), Path("/proc/meminfo"), Path("/sys/devices/system/cpu"), Path("/proc/self"),
        Path("/dev/zero"), Path("/dev/random"), Path("/dev/urandom"),
        # Python, its packages and this one
        Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parent.parent,
        *(Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")),
        *(Path(entry) for name in _PATHS for entry in os.environ.get(name, "").split(":") if entry),
    ]  # fmt: skip
    return tuple(run), tuple(read)


# --- files: Landlock

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REMOVE = 1 << 4 | 1 << 5
_MAKE_DIR, _MAKE_FILE = 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
#: Bits of the rights on files that each version of Landlock's interface knows.
_KNOWN = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP = 0b11  # bind and connect, from version 4
_SCOPES = 0b11  # abstract sockets and signals, from version 6


def landlock_version() -> int:
    """Which version of Landlock the running kernel offers; 0: none."""
    return max(int(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)), 0)


def _restrict_files(allowed: Allowed) -> tuple[str, ...]:
    version = landlock_version()
    if version == 0:
        return (
            "The sandbox cannot keep a model from reading and writing other files: this kernel has no "
            "Landlock (Linux 5.13 or newer, not switched off at boot).",
        )
    known = _KNOWN[min(version, 5)]
    attributes = struct.pack("=QQQ", known, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0)
    if rules < 0:
        return (f"The sandbox cannot keep a model from other files: Landlock failed ({_last_error()}).",)
    try:
        reading = _READ_FILE | _READ_DIR
        writing = reading | _WRITE_FILE | _REMOVE | _MAKE_DIR | _MAKE_FILE | _REFER | _TRUNCATE
        for paths, rights in (
            (allowed.read, reading),
            (allowed.run, reading | _EXECUTE),
            (allowed.write, writing),
            ((Path("/dev/null"),), _READ_FILE | _WRITE_FILE),
            (allowed.devices, reading | _WRITE_FILE | _IOCTL),
        ):
            for path in paths:
                _allow(rules, path, rights & known)
        if _libc.syscall(_LANDLOCK_RESTRICT, rules, 0) != 0:
            return (f"The sandbox cannot keep a model from other files: Landlock failed ({_last_error()}).",)
    finally:
        os.close(rules)
    gaps = []
    if version < 3:
        gaps.append("truncating files that it may not write (Linux 6.2)")
    if version < 6:
        gaps.append("signals to other processes while a converter runs (Linux 6.12)")
    return tuple(f"This kernel is too old for the sandbox to deny {gap}." for gap in gaps)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there, or cannot be reached anyway, needs no rule
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _ON_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        if _libc.syscall(_LANDLOCK_ADD, rules, 1, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"Landlock refuses a rule for {path}")
    finally:
        os.close(descriptor)


# --- system calls: seccomp

#: Denied always: name, number on x86-64 and on aarch64.
_DENIED: tuple[tuple[str, int, int | None], ...] = (
    # any network, and local sockets such as Docker's: EGL draws without
    ("socket", 41, 198),
    # would open sockets and files behind the filter's back
    ("io_uring_setup", 425, 425), ("io_uring_enter", 426, 426), ("io_uring_register", 427, 427),
    # into other processes of the same user
    ("ptrace", 101, 117), ("process_vm_readv", 310, 270), ("process_vm_writev", 311, 271),
    ("process_madvise", 440, 440), ("pidfd_getfd", 438, 438), ("kcmp", 312, 272),
    # memory and queues shared by name with other processes
    ("shmget", 29, 194), ("shmat", 30, 196), ("semget", 64, 190), ("msgget", 68, 186), ("mq_open", 240, 180),
    # the user's keys
    ("add_key", 248, 217), ("request_key", 249, 218), ("keyctl", 250, 219),
    # new views of the file system, and files by handle, which Landlock does not see
    ("unshare", 272, 97), ("setns", 308, 268), ("mount", 165, 40), ("umount2", 166, 39),
    ("pivot_root", 155, 41), ("chroot", 161, 51), ("open_tree", 428, 428), ("move_mount", 429, 429),
    ("fsopen", 430, 430), ("fsconfig", 431, 431), ("fsmount", 432, 432), ("fspick", 433, 433),
    ("mount_setattr", 442, 442), ("open_by_handle_at", 304, 265),
    # wide doors into the kernel
    ("bpf", 321, 280), ("perf_event_open", 298, 241), ("userfaultfd", 323, 282),
    ("init_module", 175, 105), ("finit_module", 313, 273), ("delete_module", 176, 106),
    ("kexec_load", 246, 104), ("kexec_file_load", 320, 294), ("reboot", 169, 142),
    ("swapon", 167, 224), ("swapoff", 168, 225),
)  # fmt: skip
#: Denied where no program may be started: programs, processes, and signals to others.
_DENIED_ALONE: tuple[tuple[str, int, int | None], ...] = (
    ("fork", 57, None), ("vfork", 58, None), ("execve", 59, 221), ("execveat", 322, 281),
    ("kill", 62, 129), ("tkill", 200, 130), ("pidfd_send_signal", 424, 424),
    ("rt_sigqueueinfo", 129, 138), ("rt_tgsigqueueinfo", 297, 240),
)  # fmt: skip
_CLONE, _CLONE3, _TGKILL, _PRLIMIT = (56, 220), (435, 435), (234, 131), (302, 261)
_CLONE_THREAD, _NEW_NAMESPACES = 0x00010000, 0x7E020000
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_PASS, _KILL = 0x7FFF0000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_Instruction = tuple[int, int, int, int]


def _filter_calls(programs: bool) -> tuple[str, ...]:
    machine = platform.machine()
    if machine not in _MACHINES:
        return (f"The sandbox cannot deny the network: it has no system call filter for {machine}.",)
    code = b"".join(struct.pack("=HBBI", *one) for one in filter_program(machine, programs, os.getpid()))
    program = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    if _prctl(_PR_SET_SECCOMP, 2, ctypes.byref(Program(len(code) // 8, ctypes.addressof(program)))) != 0:
        return (f"The sandbox cannot deny the network: seccomp failed ({_last_error()}).",)
    return ()


def filter_program(machine: str, programs: bool, process: int) -> list[_Instruction]:
    """The seccomp filter, in classic BPF: code, jump if true, jump if false, constant.

    Parameters
    ----------
    machine
        "x86_64" or "aarch64".
    programs
        Whether other programs may be started.
    process
        The only process that may be signalled where no programs may be started.
    """
    column, architecture = _MACHINES[machine]
    refuse = 0x00050000 | errno.EPERM
    code: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        # the x32 numbers, a second name for each call
        code += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, refuse)]
    for denied in _DENIED if programs else _DENIED + _DENIED_ALONE:
        number = denied[1 + column]
        if number is not None:
            code += [(_EQUAL, 0, 1, int(number)), (_RETURN, 0, 0, refuse)]
    # its flags lie in memory, where a filter cannot look; without it, libraries use clone
    code += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, 0x00050000 | errno.ENOSYS)]
    clone: list[_Instruction] = [(_ANY_BIT, 0, 1, _NEW_NAMESPACES), (_RETURN, 0, 0, refuse)]
    if not programs:
        clone += [(_ANY_BIT, 1, 0, _CLONE_THREAD), (_RETURN, 0, 0, refuse)]
    code += _on(_CLONE[column], clone)
    # the limits of this process only
    code += _on(_PRLIMIT[column], [(_EQUAL, 1, 0, 0), (_RETURN, 0, 0, refuse)])
    if not programs:
        # abort() signals its own thread
        code += _on(_TGKILL[column], [(_EQUAL, 1, 0, process), (_RETURN, 0, 0, refuse)])
    return [*code, (_RETURN, 0, 0, _PASS)]


def _on(number: int, body: Sequence[_Instruction]) -> list[_Instruction]:
    """For one system call: look at its first argument (its lower half, first in memory) with `body`."""
    block = [(_LOAD, 0, 0, _FIRST_ARGUMENT), *body, (_RETURN, 0, 0, _PASS)]
    return [(_EQUAL, 0, len(block), number), *block]


# --- the rest

_CAPABILITIES_V3 = 0x20080522
#: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: a root user's own files may have another owner.
_KEPT_CAPABILITIES = 0b110


def _drop_capabilities() -> None:
    """Give up every right of a root user but that to its files."""
    header = struct.pack("=Ii", _CAPABILITIES_V3, 0)
    data = ctypes.create_string_buffer(24)
    if _libc.capget(header, data) != 0:
        return
    permitted = struct.unpack("=6I", data.raw)[1] & _KEPT_CAPABILITIES
    _libc.capset(header, struct.pack("=6I", permitted, permitted, 0, 0, 0, 0))


def _prctl(option: int, *arguments: object) -> int:
    rest: Iterable[object] = (*arguments, 0, 0, 0, 0)
    wide = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in rest]
    return int(_libc.prctl(option, *wide[:4]))


def _last_error() -> str:
    return os.strerror(ctypes.get_errno())

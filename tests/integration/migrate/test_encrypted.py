"""A server that encrypts: libpq sees to it alone, since the driver is imported without Python's own OpenSSL."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.url import DatabaseUrl
from tests.support.migrations import rows
from tests.support.postgresql import OwnServer, Server
from tests.support.processes import as_text, environment, eventually, run

REQUEST = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=here -addext subjectAltName=IP:127.0.0.1"
ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture
def certificate(postgresql_server: Server, postgresql_url: DatabaseUrl) -> Iterator[Path]:
    """Of the server, which encrypts meanwhile."""
    if not isinstance(postgresql_server, OwnServer) or not shutil.which("openssl"):
        pytest.skip("It takes a server of the tests' own, and `openssl` to make a certificate for it.")
    data = Path(rows(postgresql_url, "SHOW data_directory")[0][0])
    found, key = data / "server.crt", data / "server.key"
    make(found, key)
    shutil.chown(key, data.owner())
    shutil.chown(found, data.owner())
    encrypt(postgresql_url, is_on=True)
    yield found
    encrypt(postgresql_url, is_on=False)
    found.unlink()
    key.unlink()


def make(certificate: Path, key: Path) -> None:
    command = [*REQUEST.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def encrypt(url: DatabaseUrl, *, is_on: bool) -> None:
    rows(url, f"ALTER SYSTEM SET ssl = {'on' if is_on else 'off'}")
    rows(url, "SELECT pg_reload_conf()")
    eventually(lambda: rows(url, ENCRYPTED) == [(is_on,)])


def deployed(url: DatabaseUrl, folder: Path, trusted: Path) -> subprocess.CompletedProcess[str]:
    text = f"{as_text(url)}?sslmode=verify-full&sslrootcert={trusted}"
    return run("migrate", "--database-url", text, "--dir", str(folder), "deploy", "--wait", "0", env=environment(url))


def test_a_deploy_looks_at_the_certificate_and_works_encrypted(
    postgresql_url: DatabaseUrl, certificate: Path, tmp_path: Path
) -> None:
    (tmp_path / "001_seen.sql").write_text(f"CREATE TABLE seen AS {ENCRYPTED};")
    done = deployed(postgresql_url, tmp_path, certificate)
    assert done.returncode == 0, done.stderr
    assert rows(postgresql_url, "SELECT * FROM seen") == [(True,)]


@pytest.mark.usefixtures("certificate")
def test_a_server_with_the_certificate_of_somebody_else_is_refused(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    make(tmp_path / "other.crt", tmp_path / "other.key")
    refused = deployed(postgresql_url, tmp_path, tmp_path / "other.crt")
    assert (refused.returncode, "certificate verify failed" in refused.stderr) == (2, True), refused.stderr

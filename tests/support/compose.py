"""A deployment of the real compose files, under a name of its own, from a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path

from service.url import ROOT
from tests.support.postgresql import free_port

# What a build needs, and what a person would have beside it.
_PARTS = ("docker-compose.yml", "docker-compose.override.yml", ".dockerignore", *("docker", "entrypoints", "service"))


def engine_trouble() -> str:
    """Why no container can be started here; empty when they can."""
    if not shutil.which("docker"):
        return "there is no docker command"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return f"`{' '.join(command)}` says: {done.stderr.strip().splitlines()[-1]}"
    return ""


class Deployment:
    def __init__(self, tree: Path) -> None:
        self.tree, self.port = tree, free_port()
        self.project = f"slipway-test-{uuid.uuid4().hex[:8]}"
        for part in (*_PARTS, "migrations"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, tree / part)

    def compose(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return self._run("docker", "compose", *words, **settings)

    def typed(self, commands: str) -> None:
        """Commands as a person types them, up to the first that fails."""
        done = self._run("sh", "-ec", commands)
        assert done.returncode == 0, done.stdout + done.stderr

    def _run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        own = {"PORT": str(self.port), "COMPOSE_PROJECT_NAME": self.project} | settings
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
        return subprocess.run(
            command,
            cwd=self.tree,
            env=kept | own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def up(self, release: str, **settings: str) -> None:
        """`--build`, as a person does it; returns when every health check is content."""
        done = self.compose("up", "--build", "--detach", "--wait", RELEASE=release, **settings)
        assert done.returncode == 0, done.stderr[-3000:] + self.logs("admin-panel")

    def start(self, service: str) -> None:
        """What was stopped, as it was; returns when its health check is content. Before that, a signal just ends it."""
        done = self.compose("up", "--detach", "--wait", "--no-recreate", "--no-deps", service)
        assert done.returncode == 0, done.stderr[-3000:] + self.logs(service)

    def execute(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        return self.compose("exec", "-T", service, *command)

    def logs(self, service: str) -> str:
        return self.compose("logs", "--no-log-prefix", "--no-color", service).stdout

    def inspect(self, service: str, template: str) -> str:
        container = self.compose("ps", "--all", "--quiet", service).stdout.strip()
        done = subprocess.run(["docker", "inspect", "-f", template, container], capture_output=True, text=True)
        return done.stdout.strip()

    def down(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "5")
        # An older release's image has lost its name to the newer one, but not its label.
        label = f"label=com.docker.compose.project={self.project}"
        subprocess.run(["docker", "image", "prune", "--force", "--filter", label], capture_output=True)

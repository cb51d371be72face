"""What GitHub Actions tells a job about itself, through variables of the environment and the event's file.

https://docs.github.com/actions/reference/workflows-and-actions/variables lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

API_URL = "https://api.github.com"
SERVER_URL = "https://github.com"


@dataclass(frozen=True, slots=True)
class GithubJob:
    """The job that llmload runs in; every field is empty or None outside of GitHub Actions.

    `repository` is "owner/name"; `output`, `summary` and `event` are files; `attempt` counts from 1, as GitHub does.
    """

    repository: str = ""
    run_id: str = ""
    attempt: str = ""
    sha: str = ""
    server_url: str = SERVER_URL
    api_url: str = API_URL
    workspace: Path | None = None
    output: Path | None = None
    summary: Path | None = None
    event: Path | None = None

    @property
    def run_url(self) -> str:
        """The page of this run of the workflow; empty where nobody told."""
        if not self.repository or not self.run_id:
            return ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"


def github_job(env: Mapping[str, str]) -> GithubJob:
    """The job that these variables tell of."""
    return GithubJob(
        repository=env.get("GITHUB_REPOSITORY", ""),
        run_id=env.get("GITHUB_RUN_ID", ""),
        attempt=env.get("GITHUB_RUN_ATTEMPT", ""),
        sha=env.get("GITHUB_SHA", ""),
        server_url=env.get("GITHUB_SERVER_URL") or SERVER_URL,
        api_url=env.get("GITHUB_API_URL") or API_URL,
        workspace=_path(env, "GITHUB_WORKSPACE"),
        output=_path(env, "GITHUB_OUTPUT"),
        summary=_path(env, "GITHUB_STEP_SUMMARY"),
        event=_path(env, "GITHUB_EVENT_PATH"),
    )


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]) if env.get(name) else None

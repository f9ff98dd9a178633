"""What `gitune run` can be asked for, option by option, as the command line reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.daemon.choices import LeaseKind, NoticeFilter, NoticeFormat

Worktree = Annotated[
    bool,
    typer.Option("--worktree", help="Follow uncommitted files, for providers that cost nothing.", show_default=False),
]
Repo = Annotated[
    str | None, typer.Option("--repo", metavar="URL", help="Follow a branch behind an address, not --root.")
]
Branch = Annotated[str | None, typer.Option("--branch", metavar="B", help="The branch of --repo. [default: main]")]
Repositories = Annotated[
    Path | None, typer.Option("--repositories", metavar="FILE", help="Follow the repositories that a file lists.")
]
Interval = Annotated[
    float, typer.Option("--interval", metavar="S", min=1, max=86400, help="Seconds between two looks when idle.")
]
Lease = Annotated[
    LeaseKind, typer.Option("--lease", metavar="ledger|kubernetes|none", help="Where it says which one is at work.")
]
LeaseName = Annotated[
    str | None, typer.Option("--lease-name", metavar="NAME", help="The Lease in the cluster. [default: gitune]")
]
Listen = Annotated[
    str | None, typer.Option("--listen", metavar="HOST:PORT", help="Serve the status page, health and metrics.")
]
WebhookSecretFile = Annotated[
    Path | None, typer.Option("--webhook-secret-file", metavar="F", help="Take GitHub webhooks signed with this.")
]
NotifyUrlFile = Annotated[
    Path | None, typer.Option("--notify-url-file", metavar="F", help="Send notices to the address in this file.")
]
NotifyFormat = Annotated[
    NoticeFormat, typer.Option("--notify-format", metavar="json|slack", help="How notices are written.")
]
NotifyOn = Annotated[NoticeFilter, typer.Option("--notify-on", metavar="all|problems", help="Which notices are sent.")]

"""`gitune doctor` says what of the environment's network variables is obeyed, and what of them cannot be."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import Process
from tests.loopback import self_signed


def test_proxies_and_certificates_are_shown_without_a_password(folder: Path, gitune: Process, tmp_path: Path) -> None:
    self_signed(tmp_path)
    ca = str(tmp_path / "ca.crt")
    proxy = "http://jane:canary-pw@proxy.example.test:3128"
    (folder / "gitune.yaml").write_text(
        "apiVersion: gitune.dev/v1alpha1\nkind: Controller\nproviders:\n"
        "  local: {type: local, endpoint: 'http://127.0.0.1:9'}\n"
    )
    assert "ok    network" not in gitune("doctor").stdout
    shown = gitune("doctor", HTTPS_PROXY=proxy, NO_PROXY="10.0.0.0/8", SSL_CERT_FILE=ca)
    assert "HTTPS_PROXY is proxy.example.test:3128; no proxy for 10.0.0.0/8; certificates are" in shown.stdout
    assert ca in shown.stdout
    broken = gitune("doctor", SSL_CERT_FILE=str(tmp_path / "nowhere"))
    assert f"SSL_CERT_FILE names {tmp_path / 'nowhere'}, which cannot be read" in broken.stdout
    assert "canary" not in f"{shown}{broken}"


def test_a_password_of_a_proxy_is_in_no_word_that_a_command_prints(folder: Path, gitune: Process) -> None:
    """The name of a spec's file is shown; here it is a proxy's password."""
    (folder / "specs").mkdir()
    (folder / "specs" / "sesame-of-a-proxy-91.yaml").write_text("kind: [\n")
    assert "sesame-of-a-proxy-91" in gitune("validate").stdout, "else nothing would be seen here"
    done = gitune("validate", all_proxy="socks5://jane:sesame-of-a-proxy-91@h:1")
    assert "***" in done.stdout
    assert "sesame-of-a-proxy-91" not in f"{done}"

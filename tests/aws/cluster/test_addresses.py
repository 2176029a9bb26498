"""Who may connect: named addresses, never strangers, and `me` as the internet sees it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from sparkify.aws.cluster import addresses
from sparkify.cli.main import main
from sparkify.errors import ClusterError, ConfigError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.0.0.0/0", "lets in 4,294,967,296 addresses"),
        ("::/0", "is IPv6"),
        ("2001:db8::1", "is IPv6"),
        ("128.0.0.0/1", "lets in 2,147,483,648 addresses"),
        ("198.0.0.0/15", "lets in 131,072 addresses. Use a range of /16 or narrower"),
        (
            "198.51.100.7/24",
            "198.51.100.7/24 is an address in a range, not a range. Write 198.51.100.7 for the address",
        ),
        ("10.1.2.3", "is a private address"),
        ("172.31.0.1", "is a private address"),
        ("192.168.0.0/24", "is a private address"),
        ("100.64.0.1", "is a private address"),  # of a provider's own network (RFC 6598)
        ("100.127.0.0/16", "is a private address"),
        ("127.0.0.1", "is a private address"),
        ("169.254.169.254", "is a private address"),
        ("everybody", "the value is not a range of addresses"),
        ("198.51.100.7/33", "the value is not a range of addresses"),
        ("198.51.100.7/32 ", "the value is not a range of addresses"),
    ],
)
def test_strangers_are_not_let_in(text: str, words: str) -> None:
    """Everybody, half of everybody, what is no range and what can never match: refused, and said why."""
    with pytest.raises(ConfigError) as caught:
        addresses.allowed(text)
    assert str(caught.value).startswith("[DWH] ALLOW_FROM or --allow-from: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", ""),
        ("198.51.100.7", "198.51.100.7/32"),
        ("198.51.100.0/24", "198.51.100.0/24"),
        ("198.51.0.0/16", "198.51.0.0/16"),
        ("100.63.255.255", "100.63.255.255/32"),
        ("100.128.0.0/16", "100.128.0.0/16"),
    ],
)
def test_named_addresses_are_taken(text: str, allowed: str) -> None:
    """One address or a range of a sensible size may connect."""
    assert addresses.allowed(text) == allowed


@pytest.fixture
def echo() -> Iterator[Callable[[str], str]]:
    """Return a function that starts a server which answers a text, and gives its URL."""
    servers: list[tuple[HTTPServer, Thread]] = []

    def start(text: str) -> str:
        class Echo(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Echo)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_me_is_the_address_that_the_internet_sees(echo: Callable[[str], str]) -> None:
    """`me` is asked for, since a machine does not know its own public address."""
    assert addresses.mine(echo("198.51.100.7\n")) == "198.51.100.7/32"


@pytest.mark.parametrize("text", ["2001:db8::1\n", "<html>", ""])
def test_an_answer_that_is_no_address_is_not_let_in(echo: Callable[[str], str], text: str) -> None:
    """Whatever a captive portal or an IPv6 network answers, it opens no door."""
    with pytest.raises(ClusterError, match="the response is not an IPv4 address"):
        addresses.mine(echo(text))


def test_dry_run_for_me_claims_only_what_is_true(
    echo: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run that asked for your address says whom it asked, and not that it asked nothing."""
    monkeypatch.setattr(addresses.mine, "__defaults__", (echo("198.51.100.7\n"),))
    assert main(["cluster", "setup", "--dry-run", "--allow-from", "me"]) == 0
    assert capsys.readouterr().err == (
        "Your address is 198.51.100.7/32, according to https://checkip.amazonaws.com.\n"
        "No AWS account was used, and nothing was changed.\n"
    )


def test_offline_me_says_what_to_write_instead() -> None:
    """Without a network the address cannot be asked for, but it can be named."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ClusterError, match=r"the request for your address failed.*--allow-from ADDRESS/32"):
            addresses.mine(f"http://127.0.0.1:{unused.getsockname()[1]}/")

"""[DWH] ALLOW_FROM opens the warehouse to named addresses only."""

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
        ("100.64.0.1", "is a private address"),  # RFC 6598: a provider's own network
        ("100.127.0.0/16", "is a private address"),
        ("127.0.0.1", "is a private address"),
        ("169.254.169.254", "is a private address"),
        ("everybody", "the value is not a range of addresses"),
        ("198.51.100.7/33", "the value is not a range of addresses"),
        ("198.51.100.7/32 ", "the value is not a range of addresses"),
    ],
)
def test_unsafe_or_impossible_range_is_wrong_usage(text: str, words: str) -> None:
    """A range that is too wide, private or invalid is wrong usage, and the message says why."""
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
def test_named_address_or_range_is_allowed(text: str, allowed: str) -> None:
    """An address or a range of a reasonable size is allowed."""
    assert addresses.allowed(text) == allowed


@pytest.fixture
def echo() -> Iterator[Callable[[str], str]]:
    """Return a function that starts a server which answers a text, and returns its URL."""
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
    """`me` is the public address, as a server on the internet sees it."""
    assert addresses.mine(echo("198.51.100.7\n")) == "198.51.100.7/32"


@pytest.mark.parametrize("text", ["2001:db8::1\n", "<html>", ""])
def test_answer_that_is_not_an_address_allows_nothing(echo: Callable[[str], str], text: str) -> None:
    """An answer without an IPv4 address, as of a captive portal, allows nothing."""
    with pytest.raises(ClusterError, match="the response is not an IPv4 address"):
        addresses.mine(echo(text))


def test_dry_run_for_me_names_the_server_that_it_asked(
    echo: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run for `me` names the server that it asked for the address."""
    monkeypatch.setattr(addresses.mine, "__defaults__", (echo("198.51.100.7\n"),))
    assert main(["cluster", "setup", "--dry-run", "--allow-from", "me"]) == 0
    assert capsys.readouterr().err == (
        "Your address is 198.51.100.7/32, according to https://checkip.amazonaws.com.\n"
        "No AWS account was used, and nothing was changed.\n"
    )


def test_offline_me_says_what_to_write_instead() -> None:
    """Without a network, the message says how to name the address."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ClusterError, match=r"the request for your address failed.*--allow-from ADDRESS/32"):
            addresses.mine(f"http://127.0.0.1:{unused.getsockname()[1]}/")

"""Proxies as they really are, each with the configuration that its guide gives."""

import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from pathlib import Path

from support.documents import ROOT, find_blocks
from support.running import free_port

__all__ = ["HOST", "PROXIES", "Mood", "Relay", "find_program", "running_proxy", "send"]

HOST = "app.example.com"
_PATIENCE_SECONDS = 60.0
_LATCHGATE, _APPLICATION = "127.0.0.1:8000", "127.0.0.1:9000"
_NGINX = """
daemon off;
master_process off;
pid @/nginx.pid;
error_log stderr error;
events {}
http {
    access_log off;
    client_body_temp_path @/body;
    proxy_temp_path @/proxy;
    fastcgi_temp_path @/fastcgi;
    uwsgi_temp_path @/uwsgi;
    scgi_temp_path @/scgi;
"""
_CADDY = "{\n\tadmin off\n\tauto_https off\n\tstorage file_system @/storage\n}\n"
_TRAEFIK = """
global: {checkNewVersion: false, sendAnonymousUsage: false}
providers: {file: {filename: "@/dynamic.yaml", watch: false}}
log: {level: ERROR}
"""
_LOOK = f"GET /open/look HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()


class Mood(Enum):
    """How a Latchgate behaves, as its proxy sees it."""

    WELL = "answers"
    DEAD = "is not there"
    SLOW = "takes the question and does not answer"


class Relay:
    """Stands between proxies and Latchgate, and behaves as it is told."""

    def __init__(self, target: int) -> None:
        self.mood = Mood.WELL
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def be(self, mood: Mood) -> None:
        """Behave otherwise from now on; connections of before are over."""
        self.mood = mood
        over, self._open = self._open, []
        for one in over:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        """Let go."""
        self.be(Mood.DEAD)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.mood is Mood.DEAD:
                    client.close()
                    continue
                self._open.append(client)
                if self.mood is Mood.WELL:
                    server = socket.create_connection(("127.0.0.1", self._target))
                    self._open.append(server)
                    for source, sink in ((client, server), (server, client)):
                        threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


def _blocks(guide: str, language: str) -> list[str]:
    text = (ROOT / "docs" / "howto" / f"{guide}.md").read_text()
    return [block.text for block in find_blocks(text) if block.language == language]


def _filled(text: str, latchgate: int, application: int) -> str:
    assert _LATCHGATE in text or _APPLICATION in text
    text = text.replace(_LATCHGATE, f"127.0.0.1:{latchgate}").replace(_APPLICATION, f"127.0.0.1:{application}")
    # So that no test waits longer than it must for an answer that does not come.
    return text.replace("timeout 5s", "timeout 1s").replace("_MAX = 5000", "_MAX = 1000")


def _nginx(folder: Path, port: int, latchgate: int, application: int) -> list[str]:
    (site,) = _blocks("nginx", "nginx")
    site = re.sub(r"listen 80\b", f"listen 127.0.0.1:{port}", _filled(site, latchgate, application))
    config = folder / "nginx.conf"
    config.write_text(_NGINX.replace("@", str(folder)) + site + "}\n")
    return ["nginx", "-c", str(config), "-e", "stderr"]


def _caddy(folder: Path, port: int, latchgate: int, application: int) -> list[str]:
    (site,) = _blocks("caddy", "text")
    site = _filled(site, latchgate, application).replace(f"{HOST} {{", f"http://{HOST}:{port} {{\n\tbind 127.0.0.1")
    config = folder / "Caddyfile"
    config.write_text(_CADDY.replace("@", str(folder)) + site)
    return ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]


def _haproxy(folder: Path, port: int, latchgate: int, application: int) -> list[str]:
    (text,), (script,) = _blocks("haproxy", "text"), _blocks("haproxy", "lua")
    lua, config = folder / "latchgate.lua", folder / "haproxy.cfg"
    lua.write_text(_filled(script, latchgate, application))
    text = _filled(text, latchgate, application).replace("/etc/haproxy/latchgate.lua", str(lua))
    config.write_text(text.replace("bind :80\n", f"bind 127.0.0.1:{port}\n"))
    return ["haproxy", "-db", "-f", str(config)]


def _traefik(folder: Path, port: int, latchgate: int, application: int) -> list[str]:
    entry, site = _blocks("traefik", "yaml")
    site = site.replace("10.0.0.2:8000", _LATCHGATE).replace("10.0.0.3:9000", _APPLICATION)
    (folder / "dynamic.yaml").write_text(_filled(site, latchgate, application))
    static = folder / "traefik.yaml"
    static.write_text(_TRAEFIK.replace("@", str(folder)) + entry.replace(":80\n", f"127.0.0.1:{port}\n"))
    return ["traefik", f"--configFile={static}"]


def _envoy(folder: Path, port: int, latchgate: int, application: int) -> list[str]:
    (site,) = _blocks("envoy", "yaml")
    # An address and its port stand apart in a cluster.
    site = site.replace("port_value: 8000", f"port_value: {latchgate}")
    site = site.replace("port_value: 9000", f"port_value: {application}")
    site = site.replace("address: 0.0.0.0, port_value: 80 ", f"address: 127.0.0.1, port_value: {port} ")
    config = folder / "envoy.yaml"
    config.write_text(_filled(site, latchgate, application))
    return ["envoy", "-c", str(config), "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error"]


PROXIES: dict[str, Callable[[Path, int, int, int], list[str]]] = {
    "nginx": _nginx,
    "caddy": _caddy,
    "haproxy": _haproxy,
    "traefik": _traefik,
    "envoy": _envoy,
}


def find_program(name: str) -> str | None:
    """Tell where a proxy's program is; None if it is not here."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


@contextmanager
def running_proxy(name: str, latchgate: int, application: int) -> Iterator[int]:
    """Run a proxy as its guide has it, between a Latchgate and an application; give its port."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        command = PROXIES[name](folder, port, latchgate, application)
        program = find_program(command[0])
        assert program, f"the tests of proxies need {name}; `make proxies` installs it"
        output = folder / "output.txt"
        with output.open("w") as printed:
            process = subprocess.Popen([program, *command[1:]], cwd=folder, stdout=printed, stderr=subprocess.STDOUT)
        stack.callback(process.wait, _PATIENCE_SECONDS)
        stack.callback(process.terminate)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            # Traefik listens before it knows of any application.
            with suppress(OSError):
                if not send(port, _LOOK, source="127.0.0.1").startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 503 ")):
                    break
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.02)
        yield port


def send(port: int, *pieces: bytes, source: str = "127.0.0.9") -> bytes:
    """Send bytes from an address of this host, and give all that comes until the other side ends or is silent."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as talk:
        with suppress(OSError):
            for piece in pieces:
                talk.sendall(piece)
        with suppress(OSError):
            while data := talk.recv(65_536):
                received += data
    return received

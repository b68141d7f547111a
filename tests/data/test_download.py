"""Downloads, from a server on this machine."""

import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lowparam.data import download
from lowparam.errors import LowparamError

CONTENT = os.urandom(300_000)
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT whole (/whole), from a byte on (/ranges), cut off (/cut), another (/other), or never (/silent)."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.path != "/whole" else 0
        if self.path == "/silent":
            self.server.given_up.wait()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:] if self.path != "/other" else b"another file"
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:100_000] if self.path == "/cut" else body)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked, running.daemon_threads, running.block_on_close = [], True, False
        running.given_up = threading.Event()
        threading.Thread(target=running.serve_forever, daemon=True).start()
        running.url = f"http://127.0.0.1:{running.server_port}"
        yield running
        running.shutdown()


def test_a_file_is_fetched_once(server, tmp_path):
    for _ in range(2):
        download.fetch([f"{server.url}/ranges"], tmp_path / "deep/file", CHECKSUM)
    assert (tmp_path / "deep/file").read_bytes() == CONTENT
    assert server.asked == [("/ranges", None)]


def test_a_file_that_servers_pack_anew_has_no_checksum(server, tmp_path):
    download.fetch([f"{server.url}/missing", f"{server.url}/whole"], tmp_path / "file", None)
    assert (tmp_path / "file").read_bytes() == CONTENT
    with pytest.raises(LowparamError, match="cannot download other"):
        download.fetch([f"{server.url}/cut"], tmp_path / "other", None)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("page", ["/ranges", "/whole"])
def test_an_interrupted_download_goes_on(server, tmp_path, page):
    """Where the server gives parts, only what lacks is sent; where it does not, the file is still right."""
    (tmp_path / "file.part").write_bytes(CONTENT[:123_456])
    download.fetch([server.url + page], tmp_path / "file", CHECKSUM)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [(page, "bytes=123456-")]
    assert not (tmp_path / "file.part").exists()


def test_a_download_that_was_complete_but_not_checked_is_kept(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    download.fetch([f"{server.url}/ranges"], tmp_path / "file", CHECKSUM)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_connection_that_breaks_leaves_a_part_to_go_on_from(server, tmp_path):
    with pytest.raises(LowparamError, match="cannot download file"):
        download.fetch([f"{server.url}/cut"], tmp_path / "file", CHECKSUM)
    kept = (tmp_path / "file.part").read_bytes()
    assert kept and CONTENT.startswith(kept)
    download.fetch([f"{server.url}/ranges"], tmp_path / "file", CHECKSUM)
    assert server.asked[-1] == ("/ranges", f"bytes={len(kept)}-")
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("bad", ["/missing", "/other"])
def test_the_next_mirror_is_asked(server, tmp_path, bad):
    download.fetch([server.url + bad, f"{server.url}/whole"], tmp_path / "file", CHECKSUM)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_file_is_not_kept(server, tmp_path):
    with pytest.raises(LowparamError, match="is not the file that was published") as caught:
        download.fetch([f"{server.url}/other"], tmp_path / "file", CHECKSUM)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["file.lock"])


def test_a_server_that_does_not_answer_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.5)
    with pytest.raises(LowparamError, match=r"no answer within 0\.5 s\); fetch http.*/silent and put it into"):
        download.fetch([f"{server.url}/silent"], tmp_path / "file", CHECKSUM)
    server.given_up.set()  # only now could it have answered


def test_all_mirrors_together_have_the_patience_of_one(monkeypatch, tmp_path):
    waited = []

    def ask(url, start, patience):
        waited.append(patience)
        raise download.requests.Timeout(f"no answer within {patience:g} s")

    monkeypatch.setattr(download, "_ask", ask)
    with pytest.raises(LowparamError, match="no answer within"):
        download.fetch(["http://a/x", "http://b/x", "http://c/x"], tmp_path / "x", CHECKSUM)
    assert len(waited) == 3 and sum(waited) == pytest.approx(download.PATIENCE) and download.PATIENCE < 10


def test_without_network_one_line_says_what_to_fetch_and_where_to_put_it(tmp_path):
    """As a user sees it; the name of the server cannot be found, or a proxy refuses."""
    (tmp_path / "params.yaml").write_text(
        """
data: {cifar: {source: cifar10, split: {train: 0.9, validation: 0.1}}}
recipes: {r: {epochs: 1, batch_size: 64, lr: 0.004}}
replicate: [e]
experiments:
  e: {data: cifar, recipe: r, architectures: [mobilenetv1], probes: [none], budgets: [25k], seeds: [0]}
"""
    )
    # 192.0.2.0/24 is for documentation: nothing is there (RFC 5737).
    away = {"https_proxy": "http://192.0.2.1:9", "LOWPARAM_DATA": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "lowparam.cli", "prepare", "cifar"],
        cwd=tmp_path,
        env={**os.environ, **away},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("lowparam: cannot download cifar-10-binary.tar.gz (www.cs.toronto.edu: no ")
    assert line.endswith(
        f"fetch https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz and put it into {tmp_path}/cache/cifar"
    )
    assert not (tmp_path / "results").exists()

"""TLS: what is trusted, and that nothing is sent to a server that is not."""

import contextlib
import os
import queue
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

from stream_client import ConnectionLost, Publisher, Stream, list_media
from stream_client._protocol.transport import Server, TlsTransport, connect

from .peers import ERROR, GREY, Listener, Relay, ScriptedServer, describe, end, frame, message
from .support import (
    HOST, PATIENCE, StreamTestCase, decoded, happens_before, open_site, pictures, pieces,
    retry_at_once,
)

try:
    import resource
except ImportError:  # Windows
    resource = None

HAS_OPENSSL = shutil.which("openssl") is not None

SELECT_LIMIT = 1024
"""Sockets of this number on cannot be given to ``select.select``."""


def make_certificate(folder, name, names="DNS:localhost,IP:127.0.0.1"):
    """Makes a certificate that signs itself, and gives the paths of it and its key."""
    paths = [str(Path(folder) / f"{name}.{kind}") for kind in ("crt", "key")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
         "-out", paths[0], "-keyout", paths[1]],
        check=True, capture_output=True,
    )
    return paths


def fingerprint_of(cert):
    """SHA-256 as openssl prints it: digits in pairs with colons."""
    said = subprocess.run(
        ["openssl", "x509", "-in", cert, "-noout", "-fingerprint", "-sha256"], check=True,
        capture_output=True, text=True,
    ).stdout
    return said.strip().split("=")[1]


def setUpModule():
    if not HAS_OPENSSL:
        raise unittest.SkipTest("no openssl")
    global own, other, certificates
    certificates = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(certificates.cleanup)
    own = make_certificate(certificates.name, "own")
    other = make_certificate(certificates.name, "other")
    StreamTestCase.site = open_site("--tls-cert", own[0], "--tls-key", own[1])
    StreamTestCase.site.make("clip.mkv", *pictures(seconds=1), "-c:v", "ffv1")


class Witness(Listener):
    """A TLS server that notes what clients send after the handshake."""

    def __init__(self, test, pair):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.received = queue.Queue()
        super().__init__(test)

    def serve(self, connected, index):
        try:
            with self.context.wrap_socket(connected, server_side=True) as encrypted:
                try:
                    self.received.put(encrypted.recv(65536))
                except OSError:
                    self.received.put(b"")  # it is gone
        except ssl.SSLError:
            pass  # the client refused the certificate


class Plain(Listener):
    """Answers a TLS client as a server without TLS does."""

    def serve(self, connected, index):
        connected.recv(65536)
        connected.sendall(message(ERROR, {"code": "bad_request", "message": "no TLS here"}))


class Trust(StreamTestCase):
    def check(self, host=HOST, **options):
        """Receives a clip and compares it with ffmpeg's frames."""
        with Stream(host, "clip.mkv", port=self.site.port, pixel_format="gray",
                    **options) as stream:
            got = [bytes(each.bytes) for each in stream]
        path = self.site.path / "clip.mkv"
        self.assertEqual(got, pieces(decoded(path, "-pix_fmt", "gray"), 25))

    def test_the_certificate_of_a_file_is_trusted(self):
        self.check(ca_file=own[0])
        self.check(ca_file=own[0], tls=True, host="localhost")
        self.assertEqual(len(list_media(HOST, port=self.site.port, ca_file=own[0])), 1)

    def test_a_certificate_is_trusted_by_its_fingerprint(self):
        digits = fingerprint_of(own[0])
        plain = digits.replace(":", "").lower()
        for fingerprint in (digits, plain, f"sha256:{plain}"):
            with self.subTest(fingerprint):
                self.assertEqual(
                    len(list_media(HOST, port=self.site.port, fingerprint=fingerprint)), 1
                )
        self.check(fingerprint=digits)

    def test_a_certificate_that_nobody_knows_is_refused(self):
        for options in ({"tls": True}, {"ca_file": other[0]}):
            with self.subTest(options):
                error = self.refused(
                    "untrusted", Stream, HOST, "clip.mkv", port=self.site.port, **options
                )
                self.assertRegex(str(error), "ca_file or fingerprint")

    def test_nothing_is_sent_to_a_server_of_another_fingerprint(self):
        witness = Witness(self, other)
        for call in (Stream, list_media):
            self.refused(
                "untrusted", call, HOST, port=witness.port, token="secret",
                fingerprint=fingerprint_of(own[0]),
            )
            self.assertEqual(witness.received.get(timeout=PATIENCE), b"")

    def test_a_certificate_of_another_host_is_refused(self):
        pair = make_certificate(certificates.name, "elsewhere", "DNS:elsewhere.example")
        witness = Witness(self, pair)
        self.refused("untrusted", list_media, HOST, port=witness.port, ca_file=pair[0])
        self.refused("untrusted", list_media, "localhost", port=witness.port, ca_file=pair[0])

    def test_a_file_that_is_no_certificate_is_told_at_once(self):
        server = ScriptedServer(self, lambda *_: None)
        for path in ("/no/such/file.pem", own[1], __file__, certificates.name):
            for call, *names in ((list_media,), (Stream, "clip"), (Publisher, "x")):
                with self.subTest(path=path, call=call):
                    with self.assertRaisesRegex(ValueError, "Cannot read ca_file"):
                        call(HOST, *names, port=server.port, ca_file=path)
        self.assertEqual(server.connections, 0)

    def test_a_server_without_tls_is_refused(self):
        plain = Plain(self)
        for options in ({"tls": True}, {"fingerprint": fingerprint_of(own[0])}):
            error = self.refused("untrusted", list_media, HOST, port=plain.port, **options)
            self.assertIn("does not speak TLS", str(error))

    def test_a_server_with_tls_refuses_a_client_without(self):
        self.refused("bad_request", list_media, HOST, port=self.site.port)

    def test_frames_continue_after_a_cut(self):
        retry_at_once(self)
        relay = Relay(self, self.site.port, [3000, 40_000])
        with Stream(HOST, "clip.mkv", port=relay.port, pixel_format="gray", ca_file=own[0],
                    retries=5) as stream:
            got = [bytes(each.bytes) for each in stream]
        path = self.site.path / "clip.mkv"
        self.assertEqual(got, pieces(decoded(path, "-pix_fmt", "gray"), 25))
        self.assertEqual(relay.connections, 3)


class Transports(StreamTestCase):
    def server(self, script):
        """A server with TLS that follows a script."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*own)
        return ScriptedServer(self, script, context=context)

    def test_closing_ends_a_wait(self):
        def script(peer, _):
            peer.send(describe(GREY), frame(0))
            peer.wait_closed()

        stream = Stream(HOST, port=self.server(script).port, ca_file=own[0])
        self.assertEqual(next(stream).pts, 0)
        self.close_promptly(stream)

    def test_a_server_that_is_silent_is_given_up(self):
        server = self.server(lambda peer, _: peer.wait_closed())
        self.patch("stream_client._protocol.transport.IDLE_TIMEOUT", 1)
        error = self.refused("connection_lost", list_media, HOST, port=server.port,
                             ca_file=own[0])
        self.assertIn("silent for 1 s", str(error))

    def test_nothing_goes_out_unencrypted_while_the_connection_is_shut_down(self):
        relay = Relay(self, self.server(lambda peer, _: peer.wait_closed()).port)
        transport = connect(Server(HOST, relay.port, ca_file=own[0]))
        self.addCleanup(transport.close)
        secret = b"not to be read"
        shut_down = socket.socket.shutdown

        def write_before(connected, how):
            if connected is transport._tls:
                try:
                    transport.write(secret)
                except ConnectionLost:
                    pass
            shut_down(connected, how)

        with mock.patch.object(socket.socket, "shutdown", write_before):
            transport.shut_down()
        self.assertRaises(ConnectionLost, transport.write, secret)
        relay.close()
        self.assertNotIn(secret, bytes(relay.sent))

    @unittest.skipIf(resource is None, "no limit of open files")
    def test_sockets_of_any_number_are_waited_for(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2 * SELECT_LIMIT:
            self.skipTest("too few files may be open")
        if soft != resource.RLIM_INFINITY and soft < 2 * SELECT_LIMIT:
            resource.setrlimit(resource.RLIMIT_NOFILE, (2 * SELECT_LIMIT, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        waiting = threading.Event()

        def script(peer, _):
            waiting.wait(PATIENCE)
            peer.send(describe(GREY), frame(0), end((0, 1, 8)))

        port = self.server(script).port
        with contextlib.ExitStack() as taken, \
                happens_before(TlsTransport, "_wait", waiting.set):
            while taken.enter_context(open(os.devnull)).fileno() < SELECT_LIMIT:
                pass
            with Stream(HOST, port=port, ca_file=own[0], retries=0) as stream:
                self.assertEqual([each.pts for each in stream], [0])


if __name__ == "__main__":
    unittest.main()

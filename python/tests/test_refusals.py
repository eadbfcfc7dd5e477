"""Requests that a server refuses, and servers that are not there."""

import sys
import threading
import unittest

import stream_client
from stream_client import ConnectionLost, Stream, StreamError, get_image, list_media
from stream_client._protocol.connection import Connection

from .peers import ERROR, GREY, Listener, ScriptedServer, describe, end, frame, message
from .support import HOST, StreamTestCase, open_site, pictures, retry_at_once

TOKEN = "a token of words"


def setUpModule():
    site = StreamTestCase.site = open_site()
    site.make("clip.mkv", *pictures(seconds=0.2), "-c:v", "ffv1")
    (site.path / "text.txt").write_text("no media")
    file = site.path / "token"
    file.write_text(TOKEN + "\n")
    site.options("--token-file", file)


class Refusals(StreamTestCase):
    def test_each_has_the_code_of_the_server(self):
        token = {"token": TOKEN}
        for code, name, options in (
            ("unauthorized", "clip.mkv", {}),
            ("not_found", "nothing.mkv", token),
            ("not_found", "../clip.mkv", token),
            ("bad_request", "clip.mkv", {**token, "pixel_format": "no such format"}),
            ("bad_request", "clip.mkv", {**token, "size": (0, 10)}),
            ("bad_request", "clip.mkv", {**token, "fps": 0}),
            ("bad_request", "clip.mkv", {**token, "duration": -1}),
            ("bad_request", "clip.mkv", {**token, "encoding": "flac"}),
            ("bad_request", "clip.mkv", {**token, "encoding": "copy", "pixel_format": "gray"}),
            ("bad_request", "clip.mkv", {**token, "quality": 50}),
            ("bad_request", "n" * 2000, token),
        ):
            with self.subTest(code, name=name[:20], **options):
                error = self.refused(code, self.open, name, **options)
                self.assertNotIsInstance(error, ConnectionLost)
                if code == "unauthorized":
                    continue
                image = {key: value for key, value in options.items()
                         if key not in ("fps", "duration")}
                if image == options:
                    self.refused(code, get_image, HOST, name, port=self.site.port, **options)

    def test_a_wrong_token_is_refused(self):
        self.refused("unauthorized", list_media, HOST, port=self.site.port, token="another")

    def test_the_right_token_is_let_in(self):
        options = {"port": self.site.port, "token": TOKEN}
        self.assertIn("clip.mkv", [each.name for each in list_media(HOST, **options)])
        self.assertEqual(len(get_image(HOST, "clip.mkv", pixel_format="gray", **options).bytes),
                         64 * 48)
        with self.open("clip.mkv", token=TOKEN) as stream:
            self.assertEqual(len(list(stream)), 5)

    def test_get_image_of_packets_is_unsupported(self):
        self.refused("unsupported", get_image, HOST, "clip.mkv", encoding="copy", token=TOKEN,
                     port=self.site.port)

    def test_a_request_that_cannot_be_written_is_refused(self):
        nan, infinity = float("nan"), float("inf")
        for options in ({"start": nan}, {"fps": infinity}, {"size": (nan, 1)}):
            with self.subTest(options), self.assertRaises((ValueError, StreamError)):
                self.open("clip.mkv", token=TOKEN, **options)

    def test_the_token_is_not_in_a_message(self):
        error = self.refused("unauthorized", self.open, "clip.mkv", token="wrong " + TOKEN)
        self.assertNotIn(TOKEN, repr(error))

    def test_an_error_in_the_middle_comes_after_the_frames(self):
        def script(peer, _):
            peer.send(
                describe(GREY, etag="same"), frame(0), frame(1),
                message(ERROR, {"code": "media_error", "message": "broken \x1b[31m\nfile"}),
            )

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            self.assertEqual([next(stream).pts, next(stream).pts], [0, 1])
            error = self.refused("media_error", next, stream)
            self.assertIn("\\u001b[31m\\nfile", str(error))
            self.refused("media_error", next, stream)


class NoServer(StreamTestCase):
    def test_nobody_listens(self):
        port = self.nobody()
        for call in (Stream, get_image, list_media):
            error = self.refused("connection_lost", call, HOST, port=port)
            self.assertRegex(str(error), f"{HOST}:{port}.*stream-server")

    def test_a_name_without_address(self):
        self.refused("connection_lost", list_media, "no-such-host.invalid")
        self.assertRaises(ValueError, list_media, "")

    def test_attempts_for_the_first_connection_are_made_on_request(self):
        retry_at_once(self)
        error = self.refused("connection_lost", Stream, HOST, port=self.nobody(), retries=2)
        self.assertIn("tried again 2 times", str(error))

    def test_a_server_that_is_busy_is_asked_again(self):
        retry_at_once(self)

        def script(peer, index):
            if index < 2:
                peer.send(message(ERROR, {"code": "busy", "message": "full"}))
            else:
                peer.send(describe(GREY), frame(0), end((0, 1, 8)))

        server = ScriptedServer(self, script)
        with Stream(HOST, port=server.port, retries=2) as stream:
            self.assertEqual(len(list(stream)), 1)
        self.refused("busy", Stream, HOST, port=ScriptedServer(self, script).port)

    @unittest.skipIf(sys.platform == "win32", "Windows discards what came before a reset")
    def test_a_refusal_is_received_from_a_server_that_is_gone(self):
        class Refusing(Listener):
            def serve(self, connected, index):
                connected.sendall(message(ERROR, {"code": "media_error", "message": "none"}))
                self.forget(connected)
                self.is_gone.set()

        ping = Connection.ping

        def late_ping(connection):
            self.wait_for(server.is_gone, "end")
            ping(connection)  # the reply is a reset

        self.patch("stream_client._protocol.connection.Connection.ping", late_ping)
        for call in (Stream, get_image):
            Refusing.is_gone = threading.Event()
            server = Refusing(self)
            self.refused("media_error", call, HOST, port=server.port)
            self.assertEqual(server.connections, 1)

    def test_a_server_that_hangs_up(self):
        server = ScriptedServer(self, lambda peer, _: None)
        for call in (Stream, get_image, list_media):
            self.refused("connection_lost", call, HOST, port=server.port)

    def test_a_server_that_is_silent_is_given_up(self):
        server = ScriptedServer(self, lambda peer, _: peer.wait_closed())
        self.patch("stream_client._protocol.transport.IDLE_TIMEOUT", 1)
        error = self.refused("connection_lost", list_media, HOST, port=server.port)
        self.assertIn("silent for 1 s", str(error))

    def test_a_server_of_another_protocol(self):
        def script(peer, _):
            peer.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

        server = ScriptedServer(self, script)
        for call in (Stream, get_image, list_media):
            self.refused("protocol", call, HOST, port=server.port)

    def test_errors_are_one_family(self):
        self.assertTrue(issubclass(stream_client.ConnectionLost, stream_client.StreamError))
        self.assertEqual(StreamError("no", "busy").code, "busy")


if __name__ == "__main__":
    unittest.main()

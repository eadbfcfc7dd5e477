"""Servers that break the protocol: one error each, little memory, and nothing is left."""

import json
import tracemalloc
import unittest

from stream_client import Stream, get_image, list_media

from .peers import (
    ACCEPT, CONTROL, DESCRIBE, END, ERROR, FRAME, GREY, HEADER, JSON_DATA, LIST, LIVE, NOTICE,
    PING, PONG, REQUEST, SOUND, ScriptedServer, describe, end, frame, message,
)
from .support import HOST, StreamTestCase

LITTLE = 8 << 20
"""Bytes that a server may make the client allocate by a few bytes of its own."""

NESTED = b"[" * 60_000


def with_field(**fields):
    """A describe of a stream with other fields; ``None`` leaves one out."""
    changed = {**GREY, **fields}
    return describe({name: value for name, value in changed.items() if value is not None})


def with_text(text):
    """A describe of :data:`GREY` with something else than a field's value, as JSON text."""
    return message(DESCRIBE, json.dumps({"streams": [{**GREY, "width": "HERE"}]})
                   .replace('"HERE"', text).encode())


class BadServers(StreamTestCase):
    def check(self, *messages, code="protocol", **options):
        """Has a server answer each request with some bytes, and hang up.

        Returns:
            the error of :class:`Stream`
        """
        errors = []

        def take_all():
            with Stream(HOST, port=server.port, retries=0, **options) as stream:
                try:
                    for each in stream:
                        each.bytes
                except BaseException as error:
                    errors.append(error)
                    raise

        server = ScriptedServer(self, lambda peer, _: peer.send(*messages))
        tracemalloc.start()
        try:
            error = self.refused(code, take_all)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(peak, LITTLE)
        self.assertEqual(server.connections, 1)
        return error

    def check_all(self, cases, *before, **options):
        """Checks several answers, each after the same messages."""
        for name, parts in cases.items():
            with self.subTest(name):
                self.check(*before, *(parts if isinstance(parts, list) else [parts]), **options)

    def test_headers(self):
        whole = describe(GREY)
        self.check_all({
            "kind 99": message(99, b"{}"),
            "kind 0": message(0, b"{}"),
            "length 0": message(NOTICE, length=0),
            "length 11": message(NOTICE, length=11),
            "length 2^32 - 1": message(DESCRIBE, length=2**32 - 1),
            "a long notice": message(NOTICE, length=12 + 65_537),
            "a long describe": message(DESCRIBE, length=13 + (16 << 20)),
            "a timestamp of 2^53": message(PING, timestamp=2**53),
            "a timestamp of -2^63": message(PING, timestamp=-2**63),
        })
        self.check_all({
            "a frame above 2^28": message(FRAME, length=2**28 + 1),
            "a live frame without its time": message(FRAME, b"1234567", flags=LIVE),
            "a capture time of 2^63 - 1": frame(0, captured=2**63 - 1),
            "a timestamp of 2^53": frame(2**53),
        }, whole)

    def test_messages_that_do_not_belong_there(self):
        for kind in (REQUEST, LIST, ACCEPT):
            with self.subTest(kind):
                self.check(message(kind, b"{}"))
                self.check(describe(GREY), message(kind, b"{}"))
        self.check_all({
            "a frame before the description": frame(0),
            "an end before the description": end(),
        })
        self.check_all({
            "a frame of another stream": frame(0, stream=1),
            "a second description": [frame(0), describe(GREY)],
            "another description": [frame(0), describe({**GREY, "width": 2, "height": 4})],
            "a frame of another size": frame(0, payload=bytes(9)),
            "an empty frame": frame(0, payload=b""),
        }, describe(GREY))

    def test_descriptions_that_are_no_object(self):
        self.check_all({
            name: message(DESCRIBE, payload)
            for name, payload in {
                "nothing": b"", "no JSON": b"{", "a list": b"[]", "a number": b"1",
                "null": b"null", "no UTF-8": b'{"name": "\xff"}', "deep": NESTED,
                "deep and closed": NESTED + b"]" * len(NESTED), "NUL": b"\0" * 100,
                "many digits": b'{"streams": ' + b"9" * 10_000 + b"}",
            }.items()
        })

    def test_descriptions_of_no_stream(self):
        self.check_all({
            "none": describe(), "null": message(DESCRIBE, {"streams": None}),
            "a number": message(DESCRIBE, {"streams": 1}),
            "a text": message(DESCRIBE, {"streams": "video"}),
            "an object": message(DESCRIBE, {"streams": {"id": 0}}),
            "a list of numbers": message(DESCRIBE, {"streams": [1]}),
            "two of one id": describe(GREY, {**SOUND, "id": 0}),
        })

    def test_streams_with_fields_that_cannot_be(self):
        cases = {
            "id": (-1, 65_536, 1.5, True, "0", None, [0]),
            "type": ("subtitle", None, 1, ["video"], {"a": 1}),
            "codec": (None, "", "two words", "a" * 100, 7, "\x1b[31m"),
            "timeBase": (None, [0, 1], [1, 0], [-1, 25], [1], [1, 25, 3], [1.5, 25], "1/25",
                         [1, 2**40], [True, 25], {"1": 25}),
            "width": (0, -4, 1.5, 1e9, None, "4", [4], True),
            "height": (0, -2, 70_000, None),
            "pixelFormat": (7, "gray\n", ["gray"], ""),
            "frameRate": ([25, 0], 25, [25], ["25", "1"]),
            "colorRange": (1, "tv\x07"),
            "colorSpace": ({}, "bt 709"),
            "extradata": ("not base64!", 7, ["AA=="], "A", "\ud800"),
        }
        for name, values in cases.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.check(with_field(**{name: value}))
        for text in ("NaN", "Infinity", "-Infinity", "1e999", "-0.5", "9" * 400):
            with self.subTest(text):
                self.check(with_text(text))
        self.check_all({
            "duration": [describe(GREY, duration=-1)],
            "a duration of words": [describe(GREY, duration="long")],
            "notes": [describe(GREY, notes="one")],
            "sound without a rate": [describe({**SOUND, "sampleRate": 0})],
            "sound without channels": [describe({**SOUND, "channels": 0})],
            "sound of many channels": [describe({**SOUND, "channels": 10**9})],
        })

    def test_values_of_any_depth_are_quoted(self):
        """A value may be just not too deep to be parsed, and too deep to be printed."""
        for depth in (*range(100, 1000, 100), *range(930, 1000, 3), 2000, 20_000):
            deep = "[" * depth + "]" * depth
            for field in ("type", "id", "codec", "width", "timeBase"):
                text = json.dumps({"streams": [{**GREY, field: "HERE"}]})
                with self.subTest(field, depth=depth):
                    self.quick_check(message(DESCRIBE, text.replace('"HERE"', deep).encode()))

    def test_names_of_any_depth_are_read(self):
        for depth in (*range(900, 1000, 3), 5_000):
            deep = "[" * depth + "]" * depth
            text = json.dumps({"streams": [GREY], "name": "HERE"})
            server = ScriptedServer(self, lambda peer, _: peer.send(
                message(DESCRIBE, text.replace('"HERE"', deep).encode()), end()
            ))
            with self.subTest(depth=depth):
                try:
                    with Stream(HOST, port=server.port, retries=0) as stream:
                        self.assertEqual(list(stream), [])
                except Exception as error:
                    self.assertEqual(getattr(error, "code", repr(error)), "protocol")

    def quick_check(self, *messages):
        """Checks the error of an answer, without a look at the memory."""
        server = ScriptedServer(self, lambda peer, _: peer.send(*messages))
        self.refused("protocol", Stream, HOST, port=server.port, retries=0)
        server.close()

    def test_announced_bytes_are_not_allocated(self):
        large = message(FRAME, bytes(100), length=2**28)
        packets = {**GREY, "codec": "h264"}
        huge = {**GREY, "width": 16_384, "height": 16_383}
        for name, stream in (
            ("packets", packets), ("an unknown format", {**GREY, "pixelFormat": "pal8"}),
        ):
            with self.subTest(name):
                self.check(describe(stream), large, code="connection_lost")
        with self.subTest("raw"):
            size = huge["width"] * huge["height"]
            self.check(describe(huge), message(FRAME, bytes(100), length=12 + size),
                       code="connection_lost")
        with self.subTest("a description"):
            self.check(message(DESCRIBE, bytes(100), length=12 + (16 << 20)),
                       code="connection_lost")
        with self.subTest("data"):
            self.check(describe(GREY, JSON_DATA, live=True),
                       message(FRAME, bytes(100), stream=7, length=2**28), code="connection_lost")

    def test_ends_that_do_not_fit(self):
        def of(value, **fields):
            return message(END, {"frames": 1, "audioFrames": 0, "bytes": 8, "dropped": 0,
                                 "reason": "end", "streams": value, **fields})

        one = {"id": 0, "frames": 1, "bytes": 8}
        self.check_all({
            "more frames": end((0, 2, 16)),
            "fewer frames": end((0, 0, 0)),
            "more bytes": end((0, 1, 9)),
            "another stream": end((1, 1, 8)),
            "one more stream": end((0, 1, 8), (1, 1, 8)),
            "one stream less": end(),
            "one stream less, of all the bytes": of([]),
            "no numbers": of([{**one, "frames": "1"}]),
            "fields missing": of([{"id": 0}]),
            "an id that is a list": of([{**one, "id": []}]),
            "an id that is an object": of([{**one, "id": {}}]),
            "no objects": of([0]),
            "other bytes of all": of([one], bytes=9),
            "no JSON": message(END, b"{"),
            "a list": message(END, b"[]"),
            "deep": message(END, NESTED),
        }, describe(GREY), frame(0))

    def test_messages_beside(self):
        self.check_all({
            f"{name} {payload[:8]!r}": message(kind, payload)
            for name, kind in (("notice", NOTICE), ("control", CONTROL), ("error", ERROR))
            for payload in (b"", b"{", b"[]", b"\xff", NESTED)
        }, describe(GREY))

    def test_whatever_a_notice_says_is_printable(self):
        odd = {"code": "\x1b[31m", "message": "two\nlines\u202e" * 100, "dropped": "many",
               "more": [1]}
        server = ScriptedServer(self, lambda peer, _: peer.send(
            describe(GREY), message(NOTICE, odd), message(NOTICE, {}),
            message(NOTICE, {"code": 7, "message": {}, "dropped": True}),
            message(NOTICE, {"code": "dropped", "dropped": -5}),
            message(CONTROL, {"action": "seek", "id": "x"}),
            message(CONTROL, {"action": ["seek"], "id": 2**70}), message(PONG, b"unasked"),
            message(PONG), end(),
        ))
        with Stream(HOST, port=server.port) as stream:
            self.assertEqual(list(stream), [])
            for notice in stream.notices:
                self.assertTrue(notice.code.isprintable())
                self.assertTrue(notice.message.isprintable())
                self.assertLess(len(notice.message), 1000)
            self.assertGreaterEqual(stream.dropped, 0)

    def test_errors_of_any_kind(self):
        for code, fields in {
            "busy": {"code": "busy", "message": "full"},
            "brand_new": {"code": "brand_new", "message": "two\nlines \x1b[31m"},
            "internal": {"message": "\x07" + "long " * 10_000},
        }.items():
            with self.subTest(code):
                error = self.check(message(ERROR, fields), code=code)
                self.assertLess(len(str(error)), 2000)
        for fields in ({}, {"code": 7, "message": 8}, {"code": "", "message": ""},
                       {"code": "\n", "message": "\n"}):
            with self.subTest(fields):
                server = ScriptedServer(self, lambda peer, _: peer.send(message(ERROR, fields)))
                with self.assertRaises(Exception) as caught:
                    Stream(HOST, port=server.port)
                error = caught.exception
                self.assertEqual(type(error).__name__, "StreamError")
                self.assertTrue(str(error) and str(error).isprintable(), repr(str(error)))
                self.assertTrue(error.code and error.code.isprintable(), repr(error.code))

    def test_messages_of_data_that_are_no_json(self):
        payloads = [b"{", b"", b"\xff", NESTED, b"NaN", b'"\\ud800"']
        parts = [frame(at, stream=7, payload=data, captured=0) for at, data in
                 enumerate(payloads)]
        total = sum(map(len, payloads))
        server = ScriptedServer(self, lambda peer, _: peer.send(
            describe(JSON_DATA, live=True), *parts, end((7, len(parts), total))
        ))
        with Stream(HOST, port=server.port, data="only") as stream:
            messages = [one for each in stream for one in each.data]
        self.assertEqual([bytes(one.bytes) for one in messages], payloads)
        for one in messages[:4]:
            self.refused("protocol", lambda: one.value)

    def test_lists(self):
        entry = {"name": "a", "kind": "video", "live": False, "size": 1, "codec": "h264"}
        for name, payload in {
            "no JSON": b"{", "deep": NESTED, "a list": b"[]", "entries": {"entries": 1},
            "an entry": {"entries": [1]}, "no name": {"entries": [{}]},
            "a name": {"entries": [{**entry, "name": 7}]},
            "a size": {"entries": [{**entry, "size": -1}]},
            "a size of words": {"entries": [{**entry, "size": "1"}]},
            "NaN": b'{"entries": [{"name": "a", "size": NaN}]}',
            "a width": {"entries": [{**entry, "width": 10**9}]},
            "a duration": {"entries": [{**entry, "duration": []}]},
        }.items():
            with self.subTest(name):
                server = ScriptedServer(self, lambda peer, _: peer.send(message(LIST, payload)))
                self.refused("protocol", list_media, HOST, port=server.port)
        odd = {"name": "two\nlines", "kind": 7, "live": 1, "codec": None}
        server = ScriptedServer(
            self, lambda peer, _: peer.send(message(LIST, {"entries": [odd, entry]}))
        )
        # In the order of names.
        second, first = list_media(HOST, port=server.port)
        self.assertEqual((first.name, first.live, first.size), ("two\nlines", False, 0))
        self.assertEqual((second.name, second.size), ("a", 1))

    def test_images(self):
        for name, parts in {
            "a frame first": [frame(0)], "an end first": [end()],
            "two descriptions": [describe(GREY), describe(GREY)],
            "no video": [describe(SOUND)], "another size": [describe(GREY), frame(0, payload=b"")],
            "another stream": [describe(GREY), frame(0, stream=3)],
            "a control": [describe(GREY), message(CONTROL, {})],
        }.items():
            with self.subTest(name):
                server = ScriptedServer(self, lambda peer, _: peer.send(*parts))
                code = "media_error" if name == "an end first" else "protocol"
                self.refused(code, get_image, HOST, port=server.port)

    def test_a_header_of_every_length_is_a_cut(self):
        whole = describe(GREY) + frame(0)
        for length in range(0, len(whole), 7):
            server = ScriptedServer(self, lambda peer, _: peer.send(whole[:length]))
            with self.subTest(length):
                def take_all():
                    with Stream(HOST, port=server.port, retries=0) as stream:
                        list(stream)

                self.refused("connection_lost", take_all)
        self.assertEqual(HEADER.size, 16)


if __name__ == "__main__":
    unittest.main()

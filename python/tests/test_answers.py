"""Answers that are rare but allowed, and others that are refused; what requests say."""

import unittest

from stream_client import Publisher, Stream, list_media

from .peers import (
    CONTROL, DESCRIBE, END, GREY, LIST, NOTICE, SOUND, ScriptedServer, describe, end, frame,
    message,
)
from .support import HOST, StreamTestCase


class Answers(StreamTestCase):
    def serve(self, *answer, **options):
        """A stream that a server answers with these messages."""
        server = ScriptedServer(self, lambda peer, _: peer.send(*answer))
        return self.open(port=server.port, retries=0, **options)

    def test_notices_may_come_first(self):
        notice = message(NOTICE, {"code": "waiting", "message": "Wait"})
        entries = message(LIST, {"entries": [{"name": "clip", "kind": "video", "codec": "h264"}]})
        server = ScriptedServer(self, lambda peer, _: peer.send(notice, notice, entries))
        (entry,) = list_media(HOST, port=server.port)
        self.assertEqual(entry.name, "clip")

        def script(peer, _):
            peer.send(notice)
            peer.accept()
            peer.take_published(taken)

        taken = []
        with Publisher(HOST, "x", port=ScriptedServer(self, script).port) as out:
            out.write(data=1)
        self.assertEqual(taken, [(1, b"1")])

    def test_a_list_may_come_in_pieces(self):
        def piece(*entries, **fields):
            whole = [{"name": name, "kind": "video", **rest} for name, rest in entries]
            return message(LIST, {"entries": whole, **fields})

        pieces = (
            piece(("b", {"pending": True}), ("a b", {}), ("notes", {}), more=True),
            piece(("a/c", {"codec": "vp9"}), removed=["notes"], more=True),
            piece(("b", {"codec": "h264"}), ("broken", {"problem": "it is empty"})),
        )
        server = ScriptedServer(self, lambda peer, _: peer.send(*pieces))
        listed = list_media(HOST, port=server.port)
        self.assertEqual([(each.name, each.codec) for each in listed], [
            ("a/c", "vp9"), ("a b", ""), ("b", "h264"),
        ])
        *_, broken = list_media(HOST, port=server.port, problems=True)
        self.assertEqual((broken.name, broken.problem), ("broken", "it is empty"))

    def test_a_control_that_is_no_seek_is_ignored(self):
        controls = [{"action": "keyframe", "id": 5}, {"action": ["seek"]}, {"id": []}]
        (only,) = self.serve(
            describe(GREY, SOUND), frame(0, stream=1, payload=bytes(20)),
            *(message(CONTROL, control) for control in controls),
            frame(0), end((0, 1, 8), (1, 1, 20)), audio=True,
        )
        self.assertEqual(len(only.audio), 1)

    def test_totals_and_descriptions_of_another_form_are_refused(self):
        for answer in (
            message(END, {"streams": 5}), message(END, {"streams": [5]}),
            message(END, {"streams": [{"id": []}]}),
        ):
            with self.subTest(answer):
                self.refused("protocol", list, self.serve(describe(GREY), answer))
        for answer in (describe({**GREY, "id": []}), message(DESCRIBE, {"streams": 5})):
            with self.subTest(answer):
                self.refused("protocol", self.serve, answer)

    def test_totals_of_another_form_are_refused_by_a_publisher(self):
        for streams in (5, [5], [{"id": []}]):
            def script(peer, _):
                peer.accept()
                peer.hear(END)
                peer.send(message(END, {"streams": streams}))

            with self.subTest(streams):
                out = Publisher(HOST, "x", port=ScriptedServer(self, script).port)
                out.write(data=1)
                self.refused("protocol", out.close)

    def test_samples_of_an_unknown_size_are_passed_on(self):
        odd = describe({**SOUND, "codec": "pcm_s1"})
        stream = self.serve(odd, frame(0, stream=1, payload=b"odd"), end((1, 1, 3)))
        self.assertEqual([bytes(each.bytes) for each in stream], [b"odd"])

    def test_the_newest_frame_of_a_file_is_asked_for_in_real_time(self):
        requests = []

        def script(peer, _):
            requests.append(peer.request)
            peer.send(describe(GREY), end())

        port = ScriptedServer(self, script).port
        for options, speed in (
            ({"latest": True}, 1), ({}, 0), ({"latest": True, "speed": 0}, 0), ({"speed": 2}, 2),
        ):
            with self.subTest(options), Stream(HOST, port=port, **options) as stream:
                self.assertEqual(list(stream), [])
                self.assertEqual(requests[-1]["speed"], speed)


if __name__ == "__main__":
    unittest.main()

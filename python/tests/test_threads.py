"""Threads and tasks that meet at the worst moment, closing, and other processes."""

import asyncio
import gc
import math
import os
import signal
import socket
import threading
import unittest
import warnings
import weakref
from fractions import Fraction
from unittest import mock

from stream_client import Publisher, Stream, StreamError, StreamInfo, aopen
from stream_client._protocol.buffers import BufferPool
from stream_client._frame import Audio, Frame, Message
from stream_client._progress import Progress
from stream_client._queue import MAX_ITEMS, Companions, FrameQueue
from stream_client._receiver import Receiver
from stream_client._protocol.retry import Retries
from stream_client._protocol.transport import Server

from .peers import ERROR, GREY, ScriptedServer, describe, end, frame, message
from .support import HOST, PATIENCE, StreamTestCase, happens_before, needs_numpy

JPEG = bytes.fromhex("ffd8 ffc0 000b 08 0002 0004 01")
"""As much of a JPEG of 4 × 2 pixels as states its size."""


def idle(peer, _):
    """Sends a frame, and then nothing."""
    peer.send(describe(GREY), frame(0))
    peer.wait_closed()


class Receiving(StreamTestCase):
    def test_no_frame_from_before_a_seek_is_given_after_it(self):
        for owner, name in ((Receiver, "_on_frame"), (Progress, "take"), (FrameQueue, "put")):
            opened = threading.Event()

            def script(peer, _):
                peer.send(describe(GREY))
                opened.wait(PATIENCE)
                peer.send(frame(0))
                peer.answer_seek()
                peer.send(frame(25), end((0, 2, 16)))

            with self.subTest(name), happens_before(owner, name, lambda: stream.seek(1)):
                with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
                    opened.set()
                    self.assertEqual([each.pts for each in stream], [25])

    def test_an_error_that_comes_at_the_last_moment_is_raised(self):
        def script(peer, _):
            peer.send(describe(GREY))
            peer.wait_closed()

        def take_and_fail(queue, timeout):
            taken = take(queue, 0)
            queue.finish(StreamError("It is broken", "media_error"))
            queue.notify()
            return taken

        async def next_of_async():
            async with aopen(HOST, port=port) as frames:
                return await frames.__anext__()

        take = FrameQueue.take
        port = ScriptedServer(self, script).port
        with mock.patch.object(FrameQueue, "take", take_and_fail):
            with Stream(HOST, port=port) as stream:
                self.refused("media_error", next, stream)
                self.assertTrue(stream.ended)
            self.refused("media_error", lambda: asyncio.run(next_of_async()))

    def test_closing_when_the_connection_is_just_made(self):
        server = ScriptedServer(self, lambda *_: self.fail("there was a request"))
        made, looked = threading.Event(), threading.Event()

        class Slow:
            """The connection of a receiver, which is stored only when it was looked for."""

            def __get__(self, receiver, owner):
                if threading.current_thread() is closer:
                    looked.set()
                return receiver.__dict__.get("_connection")

            def __set__(self, receiver, connection):
                if connection is not None:
                    made.set()
                    looked.wait(PATIENCE)
                receiver.__dict__["_connection"] = connection

        with mock.patch.object(Receiver, "_connection", Slow(), create=True):
            receiver = Receiver(
                Server(HOST, server.port), {}, latest=False, retries=Retries(0)
            )
            closer = threading.Thread(target=receiver.close)
            receiver.start()
            self.wait_for(made, "connection")
            closer.start()
            self.join(closer)
            self.join(receiver._thread)

    def test_what_waits_is_bounded_in_number(self):
        info = [StreamInfo(0, kind, "h264", Fraction(1, 25)) for kind in ("video", "audio", "data")]
        empty = memoryview(b"")
        frames = [
            Frame(info[0], empty, 0, 0.0, None, keyframe=True, dropped_before=False)
            for _ in range(10_000)
        ]
        with mock.patch("stream_client._queue.MAX_OVERFLOW", 1 << 20):
            queue = FrameQueue(latest=False)
            accepted = sum(queue.put(each, 0, 0) for each in frames)
            self.assertLess(accepted, 5000)
            self.assertGreater(accepted, 64)

        for kind, stream in ((Audio, info[1]), (Message, info[2])):
            companions = Companions(1 << 20)
            for _ in range(2 * MAX_ITEMS):
                companions.add(kind(stream, empty, 0, 0.0, None))
            taken = companions.take(math.inf)
            self.assertEqual(len(taken), MAX_ITEMS)

            latest = FrameQueue(latest=True)
            for each in frames[:3]:
                each.audio, each.data = (taken, ()) if kind is Audio else ((), taken)
                latest.put(each, 0, 0)
            newest = latest.take(0)
            self.assertEqual(len(newest.audio + newest.data), MAX_ITEMS)


class Tasks(StreamTestCase):
    def test_closing_ends_the_loop_of_another_task(self):
        async def main():
            async with aopen(HOST, port=port) as frames:
                taken = asyncio.Event()

                async def loop():
                    async for _ in frames:
                        taken.set()

                waiting = asyncio.ensure_future(loop())
                await taken.wait()
                frames.close()
                await asyncio.wait_for(waiting, PATIENCE)

        port = ScriptedServer(self, idle).port
        asyncio.run(main())

    def test_an_attempt_without_end_can_be_cancelled(self):
        with socket.create_server((HOST, 0)) as listener:
            port = listener.getsockname()[1]

        async def main():
            loop, trying = asyncio.get_running_loop(), asyncio.Event()
            with happens_before(
                Retries, "next_delay", lambda: loop.call_soon_threadsafe(trying.set)
            ):
                opening = asyncio.ensure_future(
                    aopen(HOST, port=port, retries=math.inf).__aenter__()
                )
                await trying.wait()
                opening.cancel()
                await asyncio.wait([opening])
                ended.append(opening.cancelled())

        ended = []
        thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
        thread.start()
        self.join(thread)
        self.assertEqual(ended, [True])


class Publishing(StreamTestCase):
    def setUp(self):
        super().setUp()
        self.taken = []
        """What the server got."""
        self.go = threading.Event()
        """The server accepts the publisher."""

    def publisher(self, **options):
        """A publisher that is accepted once :attr:`go` is set."""
        def script(peer, _):
            self.go.wait(PATIENCE)
            peer.accept()
            peer.take_published(self.taken)

        return Publisher(HOST, "x", port=ScriptedServer(self, script).port, **options)

    def test_messages_alone_do_not_take_the_place_of_a_frame(self):
        with self.publisher() as out:
            out.write_jpeg(JPEG)
            for number in range(3):
                self.assertTrue(out.write(data=number))
            self.go.set()
        self.assertEqual(self.taken, [(0, JPEG), (1, b"0"), (1, b"1"), (1, b"2")])
        self.assertEqual(out.totals.dropped, 0)

    def test_messages_alone_do_not_wait(self):
        with self.publisher(late="wait", timeout=0.001) as out:
            self.assertEqual([out.write(data=number) for number in range(5)], [True] * 5)
            self.go.set()
        self.assertEqual(len(self.taken), 5)

    @needs_numpy
    def test_frames_of_two_threads_are_not_mixed(self):
        import numpy

        images = [numpy.full((512, 512), value, numpy.uint8) for value in (1, 2)]
        met, take = threading.Event(), BufferPool.take
        first = threading.current_thread()

        def meet(pool, size):
            buffer = take(pool, size)
            if threading.current_thread() is first:
                second.start()
                met.wait(PATIENCE)
            elif threading.current_thread() is second:
                met.set()
            return buffer

        class Lock:
            """Tells that the second thread has come."""

            def __init__(self, lock):
                self._lock = lock

            def __enter__(self):
                if threading.current_thread() is second:
                    met.set()
                self._lock.acquire()

            def __exit__(self, *_):
                self._lock.release()

        with self.publisher() as out, mock.patch.object(BufferPool, "take", meet):
            out._lock = Lock(out._lock)
            second = threading.Thread(target=out.write, args=[images[1]])
            out.write(images[0])
            self.join(second)
            self.go.set()
        self.assertEqual([set(payload) for _, payload in self.taken], [{1}, {2}])

    @needs_numpy
    def test_messages_may_hold_values_of_numpy(self):
        import numpy

        with self.publisher() as out:
            self.go.set()
            out.write(data={
                "boxes": numpy.array([[1, 2]]), "score": numpy.float32(0.5), "id": numpy.int64(3),
            })
        self.assertEqual(self.taken, [(1, b'{"boxes":[[1,2]],"score":0.5,"id":3}')])

    def test_a_timeout_is_refused_where_nothing_waits(self):
        for options in ({}, {"late": "drop"}):
            with self.assertRaisesRegex(ValueError, 'late="wait"'):
                Publisher(HOST, "x", port=1, timeout=1, **options)

    def test_a_publisher_that_nobody_refers_to_ends_its_source(self):
        out = self.publisher()
        self.go.set()
        out.write(data=1)
        thread = out._sender._thread
        del out
        gc.collect()
        self.join(thread)
        self.assertEqual(self.taken, [(1, b"1")])


class Errors(StreamTestCase):
    def check(self, call):
        """Makes a call fail again and again, and checks that the error keeps nothing alive."""
        class Image:
            pass

        def attempt():
            image = Image()
            images.append(weakref.ref(image))
            call(image)

        images, depths = [], []
        for _ in range(5):
            try:
                attempt()
            except StreamError as error:
                trace, depth = error.__traceback__, 0
                while trace is not None:
                    trace, depth = trace.tb_next, depth + 1
                depths.append(depth)
        gc.collect()
        self.assertEqual([each() for each in images], [None] * 5)
        self.assertEqual(depths, depths[:1] * 5)

    def test_an_error_of_a_publisher_keeps_no_image_alive(self):
        def script(peer, _):
            peer.send(message(ERROR, {"code": "unauthorized", "message": "No"}))

        out = Publisher(HOST, "x", port=ScriptedServer(self, script).port)
        self.join(out._sender._thread)
        self.check(out.write)
        self.refused("unauthorized", out.close)

    def test_an_error_of_a_stream_keeps_nothing_alive(self):
        def script(peer, _):
            peer.send(describe(GREY), message(ERROR, {"code": "media_error", "message": "No"}))

        with Stream(HOST, port=ScriptedServer(self, script).port) as stream:
            self.check(lambda _: next(stream))


@unittest.skipUnless(hasattr(os, "fork"), "no fork")
class Forks(StreamTestCase):
    def said_by_child(self, function):
        """What a function gives in a process that is forked from this one."""
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are threads, which is the point
            child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE)
            try:
                os.write(writing, function().encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            said = pipe.read().decode()
        os.waitpid(child, 0)
        return said

    def test_another_process_has_to_open_its_own(self):
        over, taken = threading.Event(), []

        def send(peer, _):
            peer.send(describe(GREY), frame(0))
            over.wait(PATIENCE)
            peer.send(frame(1), end((0, 2, 16)))

        def receive(peer, _):
            peer.accept()
            peer.take_published(taken)

        def use():
            errors = []
            for call in (
                stream.__next__, stream.poll, lambda: out.write(data=1), out.wait_watched,
            ):
                try:
                    call()
                except ValueError as error:
                    errors.append(str(error))
            for each in (stream, out):
                each.close()
                each.__del__()
            return "\n".join(errors)

        stream = Stream(HOST, port=ScriptedServer(self, send).port, retries=0)
        out = Publisher(HOST, "x", port=ScriptedServer(self, receive).port)
        with out, stream:
            out.write(data=0)
            self.assertEqual(next(stream).pts, 0)
            said = self.said_by_child(use).splitlines()
            self.assertEqual(len(said), 4)
            for each in said:
                self.assertIn("in another process: open it there", each)
            over.set()
            self.assertEqual([each.pts for each in stream], [1])
            out.write(data=2)
        self.assertEqual(taken, [(1, b"0"), (1, b"2")])


if __name__ == "__main__":
    unittest.main()

"""Streams for asyncio."""

import asyncio
import threading
import unittest

from stream_client import aopen

from .peers import GREY, ScriptedServer, describe, end, frame, now
from .support import HOST, PATIENCE, StreamTestCase, decoded, open_site, pictures, pieces

FRAMES = 50


def setUpModule():
    site = StreamTestCase.site = open_site("--live", "cam=lavfi:testsrc2=size=32x24:rate=50")
    site.make("clip.mkv", *pictures(seconds=2), "-c:v", "ffv1", "-pix_fmt", "yuv420p")


class Aopen(StreamTestCase):
    def setUp(self):
        super().setUp()
        self.idle = threading.Event()

    def run_async(self, work):
        """Runs a coroutine in a loop of its own; a hang fails."""
        async def limited():
            return await asyncio.wait_for(work, PATIENCE)

        return asyncio.run(limited())

    def clip(self, **options):
        return aopen(HOST, "clip.mkv", port=self.site.port, pixel_format="gray", **options)

    def waiting(self, *messages):
        """Opens a stream of a server that sends these messages and then nothing."""
        def script(peer, _):
            peer.send(*messages)
            peer.sync()
            self.idle.set()
            peer.wait_closed()

        return aopen(HOST, port=ScriptedServer(self, script).port)

    async def all_of(self, opening):
        async with opening as frames:
            return [bytes(each.bytes) async for each in frames]

    def test_every_frame_of_a_file(self):
        expected = pieces(decoded(self.site.path / "clip.mkv", "-pix_fmt", "gray"), FRAMES)
        self.assertEqual(self.run_async(self.all_of(self.clip())), expected)

    def test_several_in_one_loop_which_goes_on_meanwhile(self):
        async def work():
            other = asyncio.get_running_loop().create_future()

            async def beside():
                other.set_result(True)

            everything = asyncio.gather(*[self.all_of(self.clip()) for _ in range(3)], beside())
            return [*await everything][:3], other.result()

        found, was_run = self.run_async(work())
        self.assertEqual([len(each) for each in found], [FRAMES] * 3)
        self.assertTrue(found[0] == found[1] == found[2] and was_run)

    def test_the_newest_frames_of_a_live_source(self):
        async def work():
            times = []
            async with aopen(HOST, "cam", port=self.site.port, latest=True) as frames:
                self.assertTrue(frames.live)
                async for each in frames:
                    times.append(each.time)
                    if len(times) == 5:
                        break
            return times

        times = self.run_async(work())
        self.assertEqual(times, sorted(set(times)))

    def test_seeking(self):
        async def work():
            async with self.clip() as frames:
                await frames.__anext__()
                frames.seek(1.8)
                return [round(each.time * 25) async for each in frames]

        self.assertEqual(self.run_async(work()), list(range(45, 50)))

    def test_what_is_refused_is_raised(self):
        opening = aopen(HOST, "nothing.mkv", port=self.site.port)
        self.refused("not_found", self.run_async, self.all_of(opening))
        with self.assertRaises(ValueError):
            self.run_async(self.all_of(aopen(HOST, encoding="copy", latest=True)))
        with self.assertRaises(TypeError):
            self.run_async(self.all_of(aopen(HOST, no_such=True)))

    def test_an_error_in_the_middle_is_raised_after_the_frames_before(self):
        taken = []

        async def work():
            server = ScriptedServer(self, lambda peer, _: peer.send(describe(GREY), frame(0)))
            async with aopen(HOST, port=server.port) as frames:
                async for each in frames:
                    taken.append(each.pts)

        self.refused("connection_lost", self.run_async, work())
        self.assertEqual(taken, [0])

    def test_the_error_of_the_block_is_raised(self):
        async def work():
            async with self.clip() as frames:
                await frames.__anext__()
                raise KeyError

        self.assertRaises(KeyError, self.run_async, work())

    def test_a_wait_may_be_cancelled_and_taken_up_again(self):
        go_on = threading.Event()

        def script(peer, _):
            peer.send(describe(GREY, live=True), frame(0, captured=now()))
            self.wait_for(go_on, "cancelled wait")
            peer.send(frame(1, captured=now()), end((0, 2, 16)))

        async def work():
            async with aopen(HOST, port=ScriptedServer(self, script).port) as frames:
                got = [(await frames.__anext__()).pts]
                waiting = asyncio.ensure_future(frames.__anext__())
                await asyncio.sleep(0)
                waiting.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await waiting
                go_on.set()
                return got + [each.pts async for each in frames]

        self.assertEqual(self.run_async(work()), [0, 1])

    def test_opening_may_be_cancelled(self):
        async def work():
            opening = asyncio.ensure_future(self.all_of(self.waiting()))
            await asyncio.to_thread(self.idle.wait, PATIENCE)
            opening.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await opening

        self.run_async(work())

    def test_closing_ends_a_task_that_waits(self):
        async def work():
            async with self.waiting(describe(GREY, live=True)) as frames:
                waiting = asyncio.ensure_future(frames.__anext__())
                await asyncio.to_thread(self.idle.wait, PATIENCE)
                frames.close()
                with self.assertRaises((StopAsyncIteration, ValueError)):
                    await waiting

        self.run_async(work())

    def test_closing_twice(self):
        async def work():
            async with self.clip() as frames:
                await frames.__anext__()
                frames.close()
                frames.close()
            with self.assertRaisesRegex(ValueError, "closed"):
                await frames.__anext__()

        self.run_async(work())


if __name__ == "__main__":
    unittest.main()

"""What waits to be published, without a server."""

import unittest

from stream_client._outbox import (
    MAX_FRAMES, MAX_MESSAGES, DataMessage, Item, Outbox, VideoFormat,
)

VIDEO = VideoFormat("rawvideo", 2, 2, "gray")


def item(at, *, frame=True, message=True):
    """A frame of one byte and a message, or one of the two."""
    return Item(
        at, at, VIDEO if frame else None, b"." if frame else None,
        DataMessage("json", str(at).encode()) if message else None,
    )


def taken(outbox):
    """All that waits."""
    outbox.close()
    items = []
    while not outbox.is_finished:
        items.append(outbox.take())
    return items


class Dropping(unittest.TestCase):
    def test_messages_outlive_their_frames_in_order_and_in_bounds(self):
        outbox, count = Outbox(), MAX_MESSAGES + 500
        for at in range(count):
            self.assertTrue(outbox.put(item(at), 0))
        items = taken(outbox)
        self.assertEqual(outbox.dropped, count - MAX_FRAMES)
        self.assertEqual(
            [each.pts for each in items], list(range(count - MAX_MESSAGES - MAX_FRAMES, count))
        )
        self.assertEqual([each.payload for each in items[-3:]], [None, b".", b"."])

    def test_a_dropped_frame_still_says_that_there_is_video(self):
        outbox = Outbox()
        for at in range(MAX_FRAMES + 1):
            outbox.put(item(at), 0)
        first = taken(outbox)[0]
        self.assertEqual((first.pts, first.payload, first.video), (0, None, VIDEO))

    def test_a_dropped_frame_without_a_message_leaves_nothing(self):
        outbox = Outbox()
        for at in range(10):
            outbox.put(item(at, message=False), 0)
        self.assertEqual([each.pts for each in taken(outbox)], [8, 9])

    def test_messages_alone_drop_no_frame(self):
        outbox = Outbox()
        outbox.put(item(0, message=False), 0)
        for at in range(1, MAX_MESSAGES + 10):
            outbox.put(item(at, frame=False), 0)
        items = taken(outbox)
        self.assertEqual((items[0].pts, items[1].pts), (0, 10))
        self.assertEqual(outbox.dropped, 0)


if __name__ == "__main__":
    unittest.main()

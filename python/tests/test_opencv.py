"""Conversion with OpenCV, which must give what is given without it."""

import importlib.util
import sys
import unittest

from stream_client import Stream

from .support import StreamTestCase
from .test_pixels import check_to_bgr

HAS_OPENCV = importlib.util.find_spec("cv2") is not None


@unittest.skipUnless(HAS_OPENCV, "no cv2")
class OpenCV(StreamTestCase):
    def test_to_bgr_is_ffmpegs_within_two(self):
        check_to_bgr(self, Stream)
        self.assertIn("cv2", sys.modules)

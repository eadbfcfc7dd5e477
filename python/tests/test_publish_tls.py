"""A publisher over TLS."""

import tempfile
import unittest

from .publishing import PublishTestCase, wait_connected
from .support import HAS_NUMPY, PATIENCE, open_site
from .test_tls import HAS_OPENSSL, fingerprint_of, make_certificate

if not HAS_NUMPY or not HAS_OPENSSL:
    raise unittest.SkipTest("no numpy or no openssl")

import numpy as np  # noqa: E402 - it may be missing


def setUpModule():
    certificates = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(certificates.cleanup)
    PublishTestCase.own = make_certificate(certificates.name, "own")
    cert, key = PublishTestCase.own
    PublishTestCase.site = open_site("--tls-cert", cert, "--tls-key", key)


class Encrypted(PublishTestCase):
    def test_large_frames_and_messages_arrive(self):
        image = np.zeros((700, 1000, 3), np.uint8)
        trust = {"fingerprint": f"sha256:{fingerprint_of(self.own[0])}"}
        with self.publisher(**trust) as out:
            wait_connected(out)
            viewer = self.watch(ca_file=self.own[0])
            self.assertTrue(out.wait_watched(PATIENCE))
            for number in range(30):
                image[:] = number
                out.write(image, number)
                self.keep_up(out)
        frames = viewer.all()
        self.assertEqual(
            [[each.value for each in one.data] for one in frames], [[at] for at in range(30)]
        )
        for number, frame in enumerate(frames):
            self.assertEqual((frame.image.min(), frame.image.max()), (number, number))

    def test_a_server_that_is_not_trusted(self):
        for options in ({"fingerprint": "ab" * 32}, {"tls": True}):
            self.refused("untrusted", self.publisher(**options).close)
        self.refused("bad_request", self.publisher().close)


if __name__ == "__main__":
    unittest.main()

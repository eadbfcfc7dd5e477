"""Tests of the package, against a real server, ffmpeg and peers that follow a script.

    STREAM_SERVER="stream-server" python3 -m unittest discover -s python/tests -t python

``STREAM_SERVER`` is the command that starts a server; default: the project's source with Deno.
"""

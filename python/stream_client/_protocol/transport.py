"""A connection to a server as exact reads and whole writes, over TCP or TLS."""

from __future__ import annotations

import hashlib
import hmac
import re
import selectors
import socket
import ssl
import struct
import sys
import threading
from dataclasses import dataclass, field
from typing import Optional, Tuple

from .._errors import ConnectionLost, StreamError
from .wire import DEFAULT_PORT, Bytes

CONNECT_TIMEOUT = 10
"""Seconds for each address of the host, and for each step of the TLS handshake."""

IDLE_TIMEOUT = 15
"""Seconds without progress after which a connection counts as lost; a server pings every 5."""

MAX_JOINED = 64 << 10
"""Bytes that are copied to be sent at once."""

MAX_UNSENT = 256 << 10
"""Bytes that the system keeps back on a slow link; more would only grow old there."""

FINGERPRINT = re.compile(r"(?:sha256:)?((?:[0-9a-f]{2}:?){32})", re.IGNORECASE)


class StallError(ConnectionLost):
    """The server takes or sends nothing for too long."""


@dataclass(frozen=True)
class Server:
    """The address of a server, and how to connect to it."""

    host: str
    port: int = DEFAULT_PORT
    token: Optional[str] = field(default=None, repr=False)
    tls: bool = False
    """Encrypt, and trust the authorities of this machine."""
    ca_file: Optional[str] = None
    """Encrypt, and trust the authority or certificate in this PEM file."""
    fingerprint: Optional[str] = None
    """Encrypt, and trust only the certificate with this SHA-256, whatever else is set."""
    context: Optional[ssl.SSLContext] = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.host, str) or not self.host:
            raise ValueError(f"Cannot connect to {self.host!r}: expected a name or address")
        if re.fullmatch(r"[^:]+:\d+", self.host):
            raise ValueError(f'Cannot connect to "{self.host}": give the port as port=')
        if type(self.port) is not int or not 0 < self.port < 65536:
            raise ValueError(f"Cannot use port {self.port!r}: expected a number from 1 to 65535")
        if self.fingerprint is not None and not FINGERPRINT.fullmatch(self.fingerprint):
            raise ValueError(
                f'Cannot use fingerprint "{self.fingerprint}": expected sha256: and 64 hexadecimal'
                " digits, as the server prints when it starts"
            )
        if self.tls or self.ca_file is not None or self.fingerprint is not None:
            object.__setattr__(self, "context", _context(self))

    @property
    def address(self) -> str:
        """Host and port for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Transport:
    """A TCP connection. One thread reads; any thread may write, one at a time."""

    def __init__(self, connected: socket.socket, address: str) -> None:
        self._socket = connected
        self._lost = f"Connection to {address} lost"
        connected.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            _set_timeout(connected, option)

    def read_into(self, target: memoryview) -> None:
        """Fills the target.

        Raises:
            ConnectionLost: if the connection ends before, or is silent for too long
        """
        filled, size = 0, len(target)
        try:
            while filled < size:
                # One call for all of it: a busy interpreter delays each return by milliseconds.
                count = self._socket.recv_into(
                    target[filled:], size - filled, socket.MSG_WAITALL
                )
                if count == 0:
                    raise ConnectionLost(f"{self._lost}: it was cut")
                filled += count
        except BlockingIOError as error:
            raise ConnectionLost(f"{self._lost}: silent for {IDLE_TIMEOUT} s") from error
        except OSError as error:
            raise ConnectionLost(f"{self._lost}: {error.strerror or error}") from error

    def write(self, *parts: Bytes) -> None:
        """Writes all parts.

        Raises:
            StallError: if the peer takes nothing for too long
            ConnectionLost: if it is gone
        """
        try:
            for part in joined(parts):
                self._socket.sendall(part)
        except BlockingIOError as error:
            raise StallError(f"{self._lost}: it took nothing for {IDLE_TIMEOUT} s") from error
        except OSError as error:
            raise ConnectionLost(f"{self._lost}: {error.strerror or error}") from error

    @property
    def has_unread(self) -> bool:
        """Whether bytes wait to be read, as any thread may ask."""
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._socket, selectors.EVENT_READ)
                return bool(selector.select(0))
        except (OSError, ValueError):  # ValueError: closed meanwhile
            return False

    def shut_down(self) -> None:
        """Ends reads and writes in progress; they raise."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer has already closed it

    def close(self) -> None:
        """Closes the socket. No other thread may use it any more."""
        self._socket.close()


def joined(parts: Tuple[Bytes, ...]) -> Tuple[Bytes, ...]:
    """One part if they are small: each is a packet of its own."""
    return (b"".join(parts),) if sum(map(len, parts)) <= MAX_JOINED else parts


class TlsTransport(Transport):
    """A TLS connection. OpenSSL must not read and write at once, so each call takes a lock."""

    def __init__(self, connected: ssl.SSLSocket, address: str) -> None:
        self._tls = self._socket = connected
        self._lost = f"Connection to {address} lost"
        self._lock = threading.Lock()
        connected.settimeout(0)  # never waits with the lock

    def read_into(self, target: memoryview) -> None:
        filled, size = 0, len(target)
        try:
            while filled < size:
                try:
                    with self._lock:
                        count = self._tls.recv_into(target[filled:], size - filled)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                    self._wait(error, f"silent for {IDLE_TIMEOUT} s")
                    continue
                if count == 0:
                    raise ConnectionLost(f"{self._lost}: it was cut")
                filled += count
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile
            raise ConnectionLost(f"{self._lost}: {error}") from error

    def write(self, *parts: Bytes) -> None:
        try:
            for part in joined(parts):
                view = memoryview(part)
                while len(view) > 0:
                    try:
                        with self._lock:
                            view = view[self._tls.send(view):]
                    except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                        self._wait(error, f"it took nothing for {IDLE_TIMEOUT} s")
        except (OSError, ValueError) as error:
            raise ConnectionLost(f"{self._lost}: {error}") from error

    def shut_down(self) -> None:
        try:
            # That of SSLSocket would have what other threads still send go out unencrypted.
            socket.socket.shutdown(self._tls, socket.SHUT_RDWR)
        except OSError:
            pass  # the peer has already closed it

    def _wait(self, error: ssl.SSLError, complaint: str) -> None:
        is_read = isinstance(error, ssl.SSLWantReadError)
        with selectors.DefaultSelector() as selector:
            selector.register(self._tls, selectors.EVENT_READ if is_read else selectors.EVENT_WRITE)
            if not selector.select(IDLE_TIMEOUT):
                raise StallError(f"{self._lost}: {complaint}")


def connect(server: Server) -> Transport:
    """Connects, and verifies the certificate before anything is sent.

    Raises:
        ConnectionLost: if nobody answers
        StreamError: ``untrusted`` if the certificate is not the one expected
    """
    failed = f"Cannot connect to {server.address}"
    try:
        connected = socket.create_connection((server.host, server.port), CONNECT_TIMEOUT)
    except socket.timeout as error:
        raise ConnectionLost(
            f"{failed}: no answer within {CONNECT_TIMEOUT} s, check the address and the firewall"
        ) from error
    except UnicodeError as error:
        raise ValueError(f"{failed}: that is no name of a host") from error
    except OSError as error:
        hint = "is stream-server running there, and on that port?"
        raise ConnectionLost(f"{failed}: {error.strerror or error}, {hint}") from error
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        unsent = getattr(socket, "TCP_NOTSENT_LOWAT", None)
        if unsent is not None:
            connected.setsockopt(socket.IPPROTO_TCP, unsent, MAX_UNSENT)
        if server.context is not None:
            return _start_tls(connected, server, server.context)
        return Transport(connected, server.address)
    except BaseException:
        connected.close()
        raise


def _start_tls(
    connected: socket.socket, server: Server, context: ssl.SSLContext
) -> Transport:
    failed = f"Cannot trust {server.address}"
    try:
        encrypted = context.wrap_socket(connected, server_hostname=server.host)
    except ssl.SSLCertVerificationError as error:
        raise StreamError(
            f"{failed}: {error.verify_message}; name its certificate with ca_file or fingerprint",
            "untrusted",
        ) from error
    except ssl.SSLError as error:
        raise StreamError(
            f"{failed}: it does not speak TLS ({error.reason or error}); stream-server does with"
            " --tls-cert and --tls-key", "untrusted",
        ) from error
    except OSError as error:
        raise ConnectionLost(f"{failed}: no TLS ({error})") from error
    if server.fingerprint is not None:
        certificate = encrypted.getpeercert(binary_form=True) or b""
        if not hmac.compare_digest(hashlib.sha256(certificate).hexdigest(), _digits(server)):
            encrypted.close()
            raise StreamError(
                f"{failed}: its certificate has another fingerprint; the server prints its own when"
                " it starts", "untrusted",
            )
    return TlsTransport(encrypted, server.address)


def _context(server: Server) -> ssl.SSLContext:
    """Says which certificates are accepted.

    Raises:
        ValueError: if the file cannot be read
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if server.fingerprint is not None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif server.ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # The file may hold the server's certificate itself, be it signed by itself or not.
        context.verify_flags |= 0x80000  # X509_V_FLAG_PARTIAL_CHAIN; Python 3.10 names it
        try:
            context.load_verify_locations(server.ca_file)
        except OSError as error:  # ssl.SSLError is one
            reason = "no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
            raise ValueError(f'Cannot read ca_file "{server.ca_file}": {reason}') from error
    return context


def _digits(server: Server) -> str:
    found = FINGERPRINT.fullmatch(server.fingerprint or "")
    return found[1].replace(":", "").lower() if found else ""


def _set_timeout(connected: socket.socket, option: int) -> None:
    if sys.platform == "win32":
        connected.setsockopt(socket.SOL_SOCKET, option, struct.pack("<L", IDLE_TIMEOUT * 1000))
        return
    for timeval in ("@ll", "@qq"):  # 64-bit time on 32-bit systems
        try:
            connected.setsockopt(
                socket.SOL_SOCKET, option, struct.pack(timeval, IDLE_TIMEOUT, 0)
            )
            return
        except OSError:
            continue

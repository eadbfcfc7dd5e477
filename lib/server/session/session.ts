/** One connection from accept to close: TLS, timeouts, log, and the choice of the protocol. */
import { deadline, onAbort } from "../../base/async.ts";
import { ByteReader, fromSocket } from "../../base/byte_reader.ts";
import { ByteWriter } from "../../base/byte_writer.ts";
import { MONOTONIC_CLOCK } from "../../base/clock.ts";
import { DeadlineError, messageOf, RequestError } from "../../base/errors.ts";
import { printable, withFields } from "../../base/log.ts";
import { formatAddress, networkOf } from "../../net/address.ts";
import type { Certificate } from "../../net/certificate.ts";
import { closeSocket, IdleTimeout, type Socket, TlsSocket } from "../../net/socket.ts";
import { type ConversationObserver, endingOf } from "../../net/observer.ts";
import { Explainer } from "../../protocol/explainer.ts";
import { Connection } from "../../protocol/native/connection.ts";
import { encodeError } from "../../protocol/native/response.ts";
import { SCRIPT_END, SCRIPT_MAGIC } from "../../protocol/script/request.ts";
import type { ConnectionSlot } from "../connection_limiter.ts";
import type { Refusal } from "../metrics/records.ts";
import { SERVER_FLAG_NAMES } from "../option_names.ts";
import type { SessionContext, Timeouts } from "./context.ts";
import { runNativeSession } from "./native.ts";
import { gaveWay, isPeerGone } from "./outcome.ts";
import { PEER_LIMITS, PeerRate, RequestTimeout, STRANGER_LIMITS } from "./peer_limits.ts";
import { type FirstBytes, matchWords, peekFirstBytes } from "./request_words.ts";
import { runScriptSession, serveScript } from "./script.ts";
import { SOCKET_TABLE } from "./socket_table.ts";

/** The part of a session's context that all sessions share. */
export type SharedContext = Omit<
  SessionContext,
  | "address"
  | "isDraining"
  | "slot"
  | "rate"
  | "requestTimeout"
  | "idleTimeout"
  | "reader"
  | "writer"
  | "unread"
  | "observer"
>;

/** Options of {@linkcode runSession}. */
export interface SessionOptions {
  /** Of the connection, or why it has none, which the protocol sends. */
  slot?: ConnectionSlot;
  /** Of the server; without it, the connection is not encrypted. */
  certificate?: Certificate;
  /** The protocol; either side may speak first. @default by the first bytes of the peer */
  converse?: SessionConversation;
  /** Sent to peers that do not speak TLS, if it is required. @default a native error */
  plainRefusal?: Uint8Array;
}

/**
 * Speaks one protocol with a connected peer, until either side is done.
 *
 * @param abort ends the session; its reason is logged
 */
export type SessionConversation = (
  context: SessionContext,
  abort: AbortController,
) => Promise<void>;

/** Errors for peers without a connection slot. */
const REFUSED: Record<Refusal, string> = {
  full: "Cannot serve now: all connection slots are taken, try again later",
  address: "Cannot serve now: your address has all the connections that it may have, close one, " +
    "or try again later",
};

/** The error for a peer without a connection slot. */
export function refusedError(refusal: Refusal): RequestError {
  return new RequestError("busy", REFUSED[refusal]);
}

/** Logs why a peer has no connection slot, and which option allows more. */
export function logRefusal(
  refusal: Refusal,
  context: Pick<SessionContext, "requestLog" | "logger" | "address" | "names">,
): void {
  const { requestLog, logger, names = SERVER_FLAG_NAMES } = context;
  if (!requestLog.isLogged(context)) return;
  const reason = refusal === "full"
    ? `the server is full; see ${names.maxClients}`
    : `too many connections of this address; see ${names.maxPerAddress}`;
  logger.log("warn", `refused: ${reason}`);
}

/** Milliseconds for the first bytes of a peer without a connection slot, while others queue. */
const REFUSAL_TIMEOUT = 3000;

/** Message to peers that speak TLS if the server has no certificate. */
const NO_CERTIFICATE = "Cannot read TLS: this server has no certificate, connect without TLS";

/** Milliseconds for a peer to read the last bytes. */
const LINGER = 1000;

/** Bytes of unread input that are discarded meanwhile. */
const LINGER_BYTES = 1 << 20;

/** Bytes that identify the protocol of a peer. */
const MAGIC_LENGTH = 4;

/** The first bytes of TLS (RFC 8446, 5.1): a handshake record of version 3.x. */
const TLS_START = [22, 3];

/**
 * Serves one peer until either side ends the connection. TLS, timeouts and logging are the same for
 * all protocols. Never throws: failures are logged.
 */
export async function runSession(
  raw: Deno.TcpConn,
  shared: SharedContext,
  { slot, certificate, converse = converseByFirstBytes, plainRefusal }: SessionOptions = {},
): Promise<void> {
  const address = raw.remoteAddr.hostname;
  const logger = shared.requestLog.measured({
    address,
    logger: withFields(shared.logger, { peer: formatAddress(raw.remoteAddr) }),
  });
  const own = new AbortController();
  const signal = AbortSignal.any([shared.signal, own.signal]);
  const timeouts = slot?.refusal === undefined ? shared.timeouts : briefly(shared.timeouts);
  let socket: Socket = raw;
  const close = () => closeSocket(socket);
  using _listener = onAbort(signal, close);
  let awaited = certificate === undefined ? "request" : "TLS";
  using requestTimeout = new RequestTimeout(timeouts.request, () => {
    own.abort(new DeadlineError(`no ${awaited} within ${timeouts.request / 1000} s`));
  });
  const observer = explainerOf(raw, shared);
  observer?.event("connected", certificate === undefined ? "without TLS" : "TLS follows");
  const isDraining = () => shared.signal.aborted || shared.shutdown.stopped.aborted;
  let ending: ReturnType<typeof endingOf> = ["closed", "in good order"];
  try {
    raw.setNoDelay();
    // Detects that a script is gone while no frame is due.
    raw.setKeepAlive();
    if (certificate !== undefined) {
      using _shutdown = shared.shutdown.onDraining((reason) => own.abort(reason));
      const warn = (line: string) => {
        if (shared.requestLog.isLogged({ address })) logger.log("warn", line);
      };
      const { requestWords } = shared;
      requestTimeout.start();
      const secured = await acceptTls(raw, {
        ...{ certificate, warn, requestWords, observer, plainRefusal },
      });
      if (secured === undefined) return await linger(raw);
      socket = secured;
      awaited = "request";
      observer?.event("tls", "handshake done");
    }
    const idleTimeout = new IdleTimeout(socket);
    const reader = new ByteReader(fromSocket(idleTimeout));
    const writer = new ByteWriter(idleTimeout, {
      stallTimeout: timeouts.stall,
      onStall: () => own.abort(new DeadlineError("The peer took nothing for too long")),
      group: networkOf(address),
    });
    const { authenticator, clock } = shared;
    const limits = authenticator.isRequired ? STRANGER_LIMITS : PEER_LIMITS;
    const rate = new PeerRate(limits, clock);
    const ports = { local: raw.localAddr.port, remote: raw.remoteAddr.port };
    const unread = () => SOCKET_TABLE.unread(ports);
    const peer = { address, logger, signal, isDraining, idleTimeout, reader, writer, unread };
    const context = { ...shared, ...peer, timeouts, observer, slot, rate, requestTimeout };
    await converse(context, own);
    requestTimeout.end();
    await linger(socket);
  } catch (error) {
    const reason = own.signal.aborted ? own.signal.reason : error;
    const isShutdown = isDraining() || reason === shared.shutdown.draining.reason;
    ending = isShutdown ? ["closed", "the server shuts down"] : endingOf(reason);
    if (!shared.signal.aborted && reason !== shared.shutdown.draining.reason) {
      const message = `ended: ${messageOf(reason)}`;
      if (isPeerGone(reason)) logger.log("debug", message);
      else if (shared.requestLog.isLogged({ address })) logger.log("warn", message);
    }
  } finally {
    close();
    observer?.event(...ending);
    logger.log("debug", "disconnected");
  }
}

function explainerOf(
  { remoteAddr }: Deno.TcpConn,
  { explain, clock = MONOTONIC_CLOCK }: SharedContext,
): Explainer | undefined {
  return explain && new Explainer({
    print: (line) => explain(printable(line)),
    now: () => clock.now(),
    prefix: `${formatAddress(remoteAddr)}  `,
  });
}

/**
 * Whether the first four bytes of a peer are TLS. As a length of the native protocol they exceed
 * the limit of a client.
 */
export function isTls(first: Uint8Array): boolean {
  return TLS_START.every((byte, at) => first[at] === byte) && first[2] > 0;
}

function hasScriptMagic(first: Uint8Array): boolean {
  return new TextDecoder().decode(first.subarray(0, SCRIPT_MAGIC.length)) === SCRIPT_MAGIC;
}

/**
 * Runs the TLS handshake with a peer that has just connected. A native peer without TLS gets an
 * error in plain text.
 *
 * @returns `undefined` if the peer does not speak TLS, or leaves
 * @throws {Error} if the handshake fails
 */
async function acceptTls(
  raw: Deno.TcpConn,
  { certificate, warn, requestWords = [], observer, plainRefusal }: {
    certificate: Certificate;
    warn: (line: string) => void;
    requestWords?: readonly string[];
    observer?: ConversationObserver;
    plainRefusal?: Uint8Array;
  },
): Promise<TlsSocket | undefined> {
  let isHandshake = false;
  try {
    const first = await fromSocket(raw).read(new Uint8Array(1024), MAGIC_LENGTH);
    if (first.byteLength < MAGIC_LENGTH) return undefined;
    if (isTls(first)) {
      isHandshake = true;
      return await TlsSocket.accept(raw, { context: certificate.context, first });
    }
    warn("refused: the peer does not speak TLS");
    const isScript = hasScriptMagic(first) || matchWords(first, requestWords) !== "none";
    if (plainRefusal !== undefined) await plainWriter(raw).write(plainRefusal);
    else if (!isScript) await refusePlain(raw, observer);
    return undefined;
  } catch (error) {
    if (!isHandshake) throw error;
    const reason = isPeerGone(error)
      ? "the peer broke off, as it does where it does not trust the certificate"
      : messageOf(error);
    throw new Error(`no TLS could be agreed on: ${reason}`, { cause: error });
  }
}

/** Sends an error without encryption. */
async function refusePlain(
  raw: Deno.TcpConn,
  observer: ConversationObserver | undefined,
): Promise<void> {
  const message = "Cannot serve without TLS: this server speaks nothing else, ask it with " +
    "TLS, as by --tls-fingerprint, --ca-cert or --tls";
  const reader = new ByteReader(fromSocket(raw));
  const writer = plainWriter(raw);
  await refuse({ reader, writer, observer }, new RequestError("bad_request", message));
}

/** Writes to a peer that does not speak TLS. The caller's deadline applies, too. */
function plainWriter(raw: Deno.TcpConn): ByteWriter {
  return new ByteWriter(raw, { stallTimeout: 1000, onStall: () => closeSocket(raw) });
}

/** The timeouts of a peer without a connection slot. */
function briefly({ refusal = REFUSAL_TIMEOUT, ...timeouts }: Timeouts): Timeouts {
  return { ...timeouts, request: Math.min(refusal, timeouts.request) };
}

/** Speaks the script protocol with peers that begin with its magic, and the native one with others. */
async function converseByFirstBytes(
  context: SessionContext,
  abort: AbortController,
): Promise<void> {
  const { logger, requestLog, slot, names = SERVER_FLAG_NAMES } = context;
  const first = await firstBytes(context, abort);
  if (first === undefined) return;
  const { bytes, isWord } = first;
  const mayLog = () => requestLog.isLogged(context);
  if (isTls(bytes) && !isWord) {
    const reason = `the peer speaks TLS, and there is no certificate; see ${names.tls}`;
    if (mayLog()) logger.log("warn", `refused: ${reason}`);
    // Readable at least in a capture.
    return await refuse(context, new RequestError("bad_request", NO_CERTIFICATE));
  }
  const isScript = isWord || hasScriptMagic(bytes);
  if (slot?.refusal === undefined && slot?.yielded.aborted && !isScript) {
    const error = gaveWay();
    if (mayLog()) logger.log("warn", `refused: ${error.message}`);
    await refuse(context, error);
  } else if (slot?.refusal !== undefined) {
    logRefusal(slot.refusal, context);
    if (isScript) return;
    await refuse(context, refusedError(slot.refusal));
  } else if (isScript && context.authenticator.isRequired && !context.scriptsOpen) {
    const reason = `refused: scripts know no token; ${names.scriptsOpen} lets them in`;
    requestLog.begin({ wire: "classic" }, context).refused(
      new RequestError("unauthorized", reason),
    );
  } else if (isWord) {
    const words = "a word that stands for get_video, as text";
    context.observer?.received({ kind: "request", bytes: bytes.byteLength, words });
    context.requestTimeout.end();
    await serveScript({ command: "get_video", end: SCRIPT_END }, context, abort);
  } else if (isScript) {
    await runScriptSession(context, abort);
  } else {
    await runNativeSession(context, abort);
  }
}

/**
 * Waits for the first bytes of a peer. One that has to give way, and one without a slot that is late,
 * is refused like one that has spoken the native protocol: its request may be on the way.
 *
 * @returns `undefined` if the peer leaves without a byte
 */
async function firstBytes(
  context: SessionContext,
  abort: AbortController,
): Promise<FirstBytes | undefined> {
  const { reader, requestWords, requestTimeout, slot, shutdown } = context;
  const silent = Promise.withResolvers<FirstBytes>();
  const refuseNow = () => silent.resolve({ bytes: new Uint8Array(0), isWord: false });
  if (slot?.refusal !== undefined) requestTimeout.onExpiry = refuseNow;
  requestTimeout.start();
  using _yield = slot && onAbort(slot.yielded, refuseNow);
  using _shutdown = shutdown.onDraining((reason) => abort.abort(reason));
  return await Promise.race([peekFirstBytes(reader, requestWords), silent.promise]);
}

async function refuse(
  { reader, writer, observer }: Pick<SessionContext, "reader" | "writer" | "observer">,
  error: RequestError,
): Promise<void> {
  await new Connection(reader, writer, observer).send("error", encodeError(error));
}

/**
 * Ends the sending direction and waits briefly for the peer to end its own. Closing at once could
 * reset the connection and so discard bytes that the peer has not read yet.
 */
async function linger(socket: Socket): Promise<void> {
  using _limit = deadline(LINGER, () => closeSocket(socket));
  await socket.closeWrite();
  const discarded = new Uint8Array(16 * 1024);
  let bytes = 0;
  while (bytes < LINGER_BYTES) {
    const count = await socket.read(discarded);
    if (count === null) return;
    bytes += count;
  }
}

import { deadline } from "../../base/async.ts";
import { ByteReader, fromSocket } from "../../base/byte_reader.ts";
import { ByteWriter } from "../../base/byte_writer.ts";
import { DeadlineError, messageOf, RequestError } from "../../base/errors.ts";
import { withFields } from "../../base/log.ts";
import { formatAddress } from "../../net/address.ts";
import type { Certificate } from "../../net/certificate.ts";
import { IdleTimeout } from "../../net/idle_timeout.ts";
import { closeSocket, type Socket } from "../../net/socket.ts";
import { Connection } from "../../protocol/native/connection.ts";
import { encodeError } from "../../protocol/native/response.ts";
import { SCRIPT_MAGIC } from "../../protocol/script/framing.ts";
import type { Refusal } from "../metrics/metrics.ts";
import { isPeerGone, type SessionContext, type Timeouts } from "./context.ts";
import { runNativeSession } from "./native.ts";
import { runScriptSession } from "./script.ts";
import { acceptSecurely, isTls } from "./tls_accept.ts";

/** What the server shares with a session; the rest belongs to the session's own peer. */
export type SharedContext = Omit<
  SessionContext,
  "address" | "isDraining" | "idleTimeout" | "reader" | "writer"
>;

/** What is said where a peer gets no place. */
const REFUSED: Record<Refusal, { logged: string; message: string }> = {
  full: {
    logged: "the server is full",
    message: "Cannot serve now: all places are taken, try again later",
  },
  address: {
    logged: "too many connections of this address",
    message:
      "Cannot serve now: your address has all the connections that it may have, close one, " +
      "or try again later",
  },
};

/**
 * Milliseconds in which a peer without a place has to begin, so that it can be told: while it says
 * nothing, it keeps others from being told.
 */
const REFUSAL_TIMEOUT = 3000;

/** Milliseconds that a peer gets to take the last bytes, after all is said. */
const LINGER = 1000;

/** Bytes of unread input that are thrown away then. */
const LINGER_BYTES = 1 << 20;

/**
 * Talks with one peer until either side is done. Never throws: what goes wrong is the peer's, or
 * is logged.
 *
 * @param refusal why the peer has no place: it is told so, if it speaks the native wire
 * @param certificate what TLS is spoken with; the peer speaks plainly where there is none
 */
export async function runSession(
  raw: Deno.TcpConn,
  shared: SharedContext,
  { refusal, certificate }: { refusal?: Refusal; certificate?: Certificate } = {},
): Promise<void> {
  const address = raw.remoteAddr.hostname;
  const logger = withFields(shared.logger, { peer: formatAddress(raw.remoteAddr) });
  const own = new AbortController();
  const signal = AbortSignal.any([shared.signal, own.signal]);
  const timeouts = refusal === undefined ? shared.timeouts : briefly(shared.timeouts);
  let socket: Socket = raw;
  const close = () => closeSocket(socket);
  signal.addEventListener("abort", close);
  try {
    raw.setNoDelay();
    // All that tells of a classic peer that it is gone, while nothing is due to be written.
    raw.setKeepAlive();
    if (certificate !== undefined) {
      using _unasked = shared.shutdown.onDraining((reason) => own.abort(reason));
      const warn = (line: string) => {
        if (shared.requestLog.isLogged({ address })) logger.log("warn", line);
      };
      const secured = await acceptSecurely(raw, { certificate, timeouts, warn });
      if (secured === undefined) return await linger(raw);
      socket = secured;
    }
    const idleTimeout = new IdleTimeout(socket);
    const reader = new ByteReader(fromSocket(idleTimeout));
    const writer = new ByteWriter(idleTimeout, {
      stallTimeout: timeouts.stall,
      onStall: () => own.abort(new DeadlineError("The peer took nothing for too long")),
    });
    const isDraining = () => shared.signal.aborted || shared.shutdown.stopped.aborted;
    const peer = { address, logger, signal, isDraining, idleTimeout, reader, writer };
    const context = { ...shared, ...peer, timeouts };
    await converse(context, { refusal, abort: own });
    await linger(socket);
  } catch (error) {
    const reason = own.signal.aborted ? own.signal.reason : error;
    if (!shared.signal.aborted && reason !== shared.shutdown.draining.reason) {
      const message = `ended: ${messageOf(reason)}`;
      if (isPeerGone(reason)) logger.log("debug", message);
      else if (shared.requestLog.isLogged({ address })) logger.log("warn", message);
    }
  } finally {
    signal.removeEventListener("abort", close);
    close();
    logger.log("debug", "disconnected");
  }
}

/** The waits for a peer to whom nothing is to be said but that. */
function briefly({ refusal = REFUSAL_TIMEOUT, ...timeouts }: Timeouts): Timeouts {
  return { ...timeouts, request: Math.min(refusal, timeouts.request) };
}

async function converse(
  context: SessionContext,
  { refusal, abort }: { refusal?: Refusal; abort: AbortController },
): Promise<void> {
  const { reader, timeouts, logger, requestLog } = context;
  let magic: Uint8Array | undefined;
  {
    const late = new DeadlineError(`no request within ${timeouts.request / 1000} s`);
    using _limit = deadline(timeouts.request, () => abort.abort(late));
    using _unasked = context.shutdown.onDraining((reason) => abort.abort(reason));
    magic = await reader.peek(SCRIPT_MAGIC.length);
  }
  if (magic === undefined) return;
  const isLogged = () => requestLog.isLogged(context);
  if (isTls(magic)) {
    const reason = "the peer speaks TLS, and there is no certificate; see --tls-cert";
    if (isLogged()) logger.log("warn", `refused: ${reason}`);
    // To show in a capture, if nowhere else, why it ends.
    return await refuse(
      context,
      new RequestError("bad_request", "Cannot read TLS: there is no certificate, expected none"),
    );
  }
  const isScript = new TextDecoder().decode(magic.subarray(0, 4)) === SCRIPT_MAGIC;
  if (refusal !== undefined) {
    const { logged, message } = REFUSED[refusal];
    if (isLogged()) logger.log("warn", `refused: ${logged}`);
    if (isScript) return;
    await refuse(context, new RequestError("busy", message));
  } else if (isScript && context.authenticator.isRequired && !context.scriptsOpen) {
    const reason = "refused: scripts know no token; --classic-open lets them in";
    requestLog.begin({ wire: "classic" }, context).refused(
      new RequestError("unauthorized", reason),
    );
  } else if (isScript) {
    await runScriptSession(context, abort);
  } else {
    await runNativeSession(context, abort);
  }
}

/** Tells a peer why nothing follows. */
async function refuse({ reader, writer }: SessionContext, error: RequestError): Promise<void> {
  await new Connection(reader, writer).send("error", encodeError(error));
}

/**
 * Ends the sending direction and waits a moment for the peer to end its own. Closing at once could
 * reset the connection, and with that take back bytes the peer has not read yet.
 */
async function linger(socket: Socket): Promise<void> {
  using _limit = deadline(LINGER, () => closeSocket(socket));
  await socket.closeWrite();
  const scrap = new Uint8Array(16 * 1024);
  let dropped = 0;
  while (dropped < LINGER_BYTES) {
    const count = await socket.read(scrap);
    if (count === null) return;
    dropped += count;
  }
}

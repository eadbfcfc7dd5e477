import { deadline } from "../../base/async.ts";
import { ByteReader, fromSocket } from "../../base/byte_reader.ts";
import { ByteWriter } from "../../base/byte_writer.ts";
import { DeadlineError, messageOf, RequestError } from "../../base/errors.ts";
import type { Certificate } from "../../net/certificate.ts";
import { closeSocket, TlsSocket } from "../../net/socket.ts";
import { Connection } from "../../protocol/native/connection.ts";
import { encodeError } from "../../protocol/native/response.ts";
import { SCRIPT_MAGIC } from "../../protocol/script/framing.ts";
import type { Timeouts } from "./context.ts";
import { isPeerGone } from "./outcome.ts";

/** Bytes that tell what a peer speaks. */
const MAGIC_LENGTH = 4;

/** How TLS begins (RFC 8446, 5.1): a record of the handshake, of a version 3.x. */
const TLS_START = [22, 3];

/** What {@linkcode acceptSecurely} has to know. */
export interface AcceptOptions {
  certificate: Certificate;
  timeouts: Timeouts;
  /** Takes a line for the log, why there is nobody to talk to. */
  warn: (line: string) => void;
}

/**
 * Whether the first four bytes of a peer are those of TLS. As a length on the native wire they
 * would be over the limit of all that a client sends.
 */
export function isTls(first: Uint8Array): boolean {
  return TLS_START.every((byte, at) => first[at] === byte) && first[2] > 0;
}

/**
 * Agrees with a peer that has just connected on how to encrypt. One that does not begin to is told
 * so, as far as it can be.
 *
 * @returns `undefined` where there is nobody to talk to
 * @throws {Error} where it cannot be agreed, within the time that a request has
 */
export async function acceptSecurely(
  raw: Deno.TcpConn,
  { certificate, timeouts, warn }: AcceptOptions,
): Promise<TlsSocket | undefined> {
  let isLate = false;
  let isAgreeing = false;
  using _limit = deadline(timeouts.request, () => {
    isLate = true;
    closeSocket(raw);
  });
  try {
    const first = await fromSocket(raw).read(new Uint8Array(1024), MAGIC_LENGTH);
    if (first.byteLength < MAGIC_LENGTH) return undefined;
    if (isTls(first)) {
      isAgreeing = true;
      return await TlsSocket.accept(raw, { context: certificate.context, first });
    }
    warn("refused: the peer does not speak TLS");
    if (new TextDecoder().decode(first.subarray(0, MAGIC_LENGTH)) !== SCRIPT_MAGIC) {
      await sayInTheOpen(raw);
    }
    return undefined;
  } catch (error) {
    if (isLate) throw new DeadlineError(`no TLS within ${timeouts.request / 1000} s`);
    if (!isAgreeing) throw error;
    const reason = isPeerGone(error)
      ? "the peer broke off, as it does where it does not trust the certificate"
      : messageOf(error);
    throw new Error(`no TLS could be agreed on: ${reason}`, { cause: error });
  }
}

/** It has nothing to hide, and the peer reads nothing else. */
async function sayInTheOpen(raw: Deno.TcpConn): Promise<void> {
  // The deadline of whoever calls holds.
  const writer = new ByteWriter(raw, { stallTimeout: 1000, onStall: () => closeSocket(raw) });
  const connection = new Connection(new ByteReader(fromSocket(raw)), writer);
  const message = "Cannot serve without TLS: this server speaks nothing else, ask it with " +
    "--tls-fingerprint, --ca-cert or --tls";
  await connection.send("error", encodeError(new RequestError("bad_request", message)));
}

import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import { parseTcpTable, type TcpEntry } from "./parsers.ts";

/** Milliseconds between checks of the connections. */
const CHECK_INTERVAL = 5;

/** Milliseconds after which a program counts as stuck. */
const TIMEOUT = 20_000;

/** A port that was free just now, for programs that cannot choose one themselves. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Waits until a process listens on a port, without connecting to it. */
export async function untilListening(port: number, signal: AbortSignal): Promise<void> {
  await until(({ local, isListening }) => local === port && isListening, {
    what: "listens",
    port,
    signal,
  });
}

/** Waits until a client is connected to a port. */
export async function untilConnected(port: number, signal: AbortSignal): Promise<void> {
  await until(({ remote, isConnected }) => remote === port && isConnected, {
    what: "is connected",
    port,
    signal,
  });
}

async function until(
  isMeant: (entry: TcpEntry) => boolean,
  { what, port, signal }: { what: string; port: number; signal: AbortSignal },
): Promise<void> {
  const began = performance.now();
  while (performance.now() - began < TIMEOUT) {
    if (parseTcpTable(await Deno.readTextFile("/proc/net/tcp")).some(isMeant)) return;
    await MONOTONIC_CLOCK.sleep(CHECK_INTERVAL, signal);
  }
  throw new Error(`Cannot measure: nobody ${what} on port ${port} after ${TIMEOUT / 1000} s`);
}

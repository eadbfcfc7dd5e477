import type { Connection } from "../wire/connection.ts";

/** Milliseconds between two. */
const INTERVAL = 5000;

/**
 * Tells the server, until disposed, that the client is there, also while a viewer that takes nothing
 * for a while keeps it from reading the server's pings.
 */
export function giveSignsOfLife(connection: Connection, interval = INTERVAL): Disposable {
  let sending = false;
  const stop = () => clearInterval(timer);
  const timer = setInterval(() => {
    if (sending) return;
    sending = true;
    // Where it fails, so does reading, which tells why.
    connection.send("pong", new Uint8Array(0)).then(() => sending = false, stop);
  }, interval);
  return { [Symbol.dispose]: stop };
}

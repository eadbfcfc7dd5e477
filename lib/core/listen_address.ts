/** Where a program is told to listen. Pure. */
import type { Address } from "./address.ts";
import { UsageError } from "./errors.ts";

/** Names and addresses that no other machine can reach. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/**
 * Reads `8080`, `0.0.0.0:8080`, `[::1]:8080` or `robot:8080`; without an address, it is this
 * machine's own.
 *
 * @param flag name of the flag, without the dashes
 * @throws {UsageError} for anything else
 */
export function parseListenAddress(value: string, flag: string): Address {
  const [, bracketed, plain, digits] =
    value.match(/^(?:(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):)?(\d{1,5})$/) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535) {
    throw new UsageError(
      `Cannot use --${flag} "${value}": expected a port from 0 to 65535, as in 8080, or an address ` +
        "and a port, as in 0.0.0.0:8080 or [::1]:8080",
    );
  }
  return { hostname: bracketed ?? plain ?? "127.0.0.1", port };
}

/** Whether no other machine can reach what listens there. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}

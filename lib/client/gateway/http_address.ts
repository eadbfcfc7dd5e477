/** Where the page of `--view browser` is served. Pure. */
import type { Address } from "../../core/address.ts";
import { UsageError } from "../../core/errors.ts";

/** Where the page is unless something else is said: here only, at a free port. */
const USUAL: Address = { hostname: "127.0.0.1", port: 0 };

/** Names and addresses that no other machine can reach. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/** Addresses that stand for all that this machine has. */
const ANY = new Set(["0.0.0.0", "::"]);

/**
 * Reads the value of `--http`: `8080`, `0.0.0.0:8080`, `[::1]:8080`, `robot:8080`.
 *
 * @throws {UsageError} for anything else
 */
export function parseHttpAddress(value: string | undefined): Address {
  if (value === undefined) return USUAL;
  const [, bracketed, plain, digits] =
    value.match(/^(?:(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):)?(\d{1,5})$/) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535) {
    throw new UsageError(
      `Cannot use --http "${value}": expected a port from 0 to 65535, as in 8080, or an address ` +
        "and a port, as in 0.0.0.0:8080 or [::1]:8080",
    );
  }
  return { hostname: bracketed ?? plain ?? USUAL.hostname, port };
}

/** Whether no other machine can reach what listens there. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}

/** Whether it stands for all addresses of this machine. */
export function isAnyAddress(hostname: string): boolean {
  return ANY.has(hostname);
}

/** The host in a request's header `Host`, without the port; brackets are taken off. */
export function hostOf(header: string): string {
  const [, bracketed, plain] = header.match(/^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/) ?? [];
  return (bracketed ?? plain ?? "").toLowerCase();
}

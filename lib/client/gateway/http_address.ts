/** Where the page of `--view browser` is served. Pure. */
import type { Address } from "../../core/address.ts";
import { parseListenAddress } from "../../core/listen_address.ts";

export { isLoopback } from "../../core/listen_address.ts";

/** Where the page is unless something else is said: here only, at a free port. */
const USUAL: Address = { hostname: "127.0.0.1", port: 0 };

/** Addresses that stand for all that this machine has. */
const ANY = new Set(["0.0.0.0", "::"]);

/**
 * Reads the value of `--http`: `8080`, `0.0.0.0:8080`, `[::1]:8080`, `robot:8080`.
 *
 * @throws {UsageError} for anything else
 */
export function parseHttpAddress(value: string | undefined): Address {
  return value === undefined ? USUAL : parseListenAddress(value, "http");
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

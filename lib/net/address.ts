/** Where a program is told to listen. Pure. */

/** Where the page of `--view browser` is served. Pure. */
import { UsageError } from "../base/errors.ts";

/** Where a program listens, or connects to. */
export interface Address {
  /** Name or IP address. */
  hostname: string;
  /** TCP port. */
  port: number;
}

/** Writes an address the way users type it: `127.0.0.1:7777`, `[::1]:7777`. */
export function formatAddress({ hostname, port }: Address): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/**
 * What counts as one peer: of IPv4 the address, also where that is written as one of IPv6, of IPv6
 * the network of 64 bits, of which a peer has all addresses.
 *
 * @returns `10.0.0.1`, or `2001:db8:0:7::/64`
 */
export function networkOf(address: string): string {
  const inside = address.match(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i)?.[1];
  if (inside !== undefined) return inside;
  if (!address.includes(":")) return address;
  const [head, tail] = address.split("::");
  const start = head === "" ? [] : head.split(":");
  const end = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : 8 - start.length - end.length;
  const groups = [...start, ...Array(Math.max(0, missing)).fill("0"), ...end];
  const network = groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}

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

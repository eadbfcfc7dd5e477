/** Parses, formats and classifies network addresses. */
import { UsageError } from "../base/errors.ts";

/** Address of a listener or a peer. */
export interface Address {
  /** Host name or IP address. */
  hostname: string;
  /** TCP port. */
  port: number;
}

/** Formats an address as users type it: `127.0.0.1:7777`, `[::1]:7777`. */
export function formatAddress({ hostname, port }: Address): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/**
 * Identifies a peer: by its IPv4 address, also if that is mapped to IPv6, or by its IPv6 network of
 * 64 bits, all of which one peer may use.
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

/** Names and addresses that other machines cannot reach. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/**
 * Parses `8080`, `0.0.0.0:8080`, `[::1]:8080` or `robot:8080`. A port alone means `127.0.0.1`.
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

/** Whether other machines cannot reach a listener of this address. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}

/** Default address of the page: this machine only, at a free port. */
const DEFAULT_HTTP_ADDRESS: Address = { hostname: "127.0.0.1", port: 0 };

/** Addresses that stand for all addresses of this machine. */
const ANY = new Set(["0.0.0.0", "::"]);

/**
 * Parses the value of `--http`, see {@linkcode parseListenAddress}.
 *
 * @throws {UsageError} for anything else
 */
export function parseHttpAddress(value: string | undefined): Address {
  return value === undefined ? DEFAULT_HTTP_ADDRESS : parseListenAddress(value, "http");
}

/** Whether an address stands for all addresses of this machine. */
export function isAnyAddress(hostname: string): boolean {
  return ANY.has(hostname);
}

/** Whether a host is an IP address, and no name. */
export function isAddress(hostname: string): boolean {
  return hostname.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(hostname);
}

/** The host of a `Host` header, without port and brackets. */
export function hostOf(header: string): string {
  const [, bracketed, plain] = header.match(/^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/) ?? [];
  return (bracketed ?? plain ?? "").toLowerCase();
}

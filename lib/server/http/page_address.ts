/** Addresses of the page: URLs for this machine and for others, and a QR code for phones. */
import { type Address, formatAddress, isAnyAddress, isLoopback } from "../../net/address.ts";
import { type InterfaceAddress, reachableAddresses } from "../../net/interfaces.ts";

/** The URLs of a page. */
export interface PageAddress {
  /** One for this machine first, then those for others. */
  urls: readonly string[];
  /** The first one that other machines reach; absent if none does. */
  shared?: string;
}

/** Options of {@linkcode locate}. */
export interface LocateOptions {
  scheme: "http" | "https";
  /** Addresses of this machine. @default those of its network interfaces */
  interfaces?: () => readonly InterfaceAddress[];
}

/**
 * The URLs of a page: at all addresses of the machine, one for each that other machines reach.
 *
 * @param address that is listened on
 */
export function locate(
  { hostname, port }: Address,
  { scheme, interfaces }: LocateOptions,
): PageAddress {
  const hosts = isAnyAddress(hostname)
    ? ["127.0.0.1", ...reachableAddresses(hostname, interfaces)]
    : [hostname];
  const urlOf = (host: string) => `${scheme}://${formatAddress({ hostname: host, port })}/`;
  const shared = hosts.find((host) => !isLoopback(host));
  return {
    urls: hosts.map(urlOf),
    shared: shared && urlOf(shared),
  };
}

/** Modules of the quiet zone on each side. */
const BORDER = 2;

/** Draws a URL as a QR code, in characters without colours. */
export async function drawCode(url: string): Promise<string> {
  // Loaded for those who have a terminal and a page.
  const { default: encodeQR } = await import("qr");
  return encodeQR(url, "ascii", { border: BORDER });
}

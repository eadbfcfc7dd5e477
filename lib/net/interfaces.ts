/** The addresses of this machine that others reach. */
import { isAnyAddress, isLoopback } from "./address.ts";

/** An address of a network interface. */
export type InterfaceAddress = Pick<Deno.NetworkInterfaceInfo, "address" | "family">;

/**
 * Addresses at which other machines reach a listener: at all addresses of this machine, those of its
 * network interfaces. None if there is no permission to look for them.
 *
 * @param hostname that is listened on
 * @param interfaces gives the addresses of this machine
 */
export function reachableAddresses(
  hostname: string,
  interfaces: () => readonly InterfaceAddress[] = networkInterfaces,
): string[] {
  if (!isAnyAddress(hostname)) return isLoopback(hostname) ? [] : [hostname];
  return interfaces()
    .filter(({ family }) => family === "IPv4" || hostname === "::")
    // Those of IPv4 are the ones that people type.
    .toSorted((a, b) => a.family < b.family ? -1 : a.family > b.family ? 1 : 0)
    .map(({ address }) => address)
    // An address of a link belongs to an interface, which URLs cannot name.
    .filter((address) => !isLoopback(address) && !/^fe80:/i.test(address));
}

/** None if that is not permitted: Deno would ask a person for it. */
function networkInterfaces(): InterfaceAddress[] {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" });
  return state === "granted" ? Deno.networkInterfaces() : [];
}

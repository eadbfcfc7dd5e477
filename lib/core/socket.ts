/** A connection over TCP, as it is or with TLS in it. Deno's own connections are such. */
export interface Socket {
  readonly remoteAddr: Deno.NetAddr;
  /** Reads some bytes, at least one, and tells how many; `null` where the peer has ended. */
  read(target: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes, at least one, and tells how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Tells the peer that nothing more comes; reading goes on. */
  closeWrite(): Promise<void>;
  /** Sends small messages at once. */
  setNoDelay(): void;
  /** Ends both directions at once, with whatever waits on them. */
  close(): void;
}

/** Closes a connection that may be closed already: by a deadline, or at the end. */
export function closeSocket(socket: Pick<Socket, "close">): void {
  try {
    socket.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

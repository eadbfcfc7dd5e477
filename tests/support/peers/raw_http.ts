/** HTTP as it lies on the connection, for what fetch() does not send. */

const encoder = new TextEncoder();

/** A connection to the page of a server. */
export class RawHttp implements Disposable {
  #socket: Deno.TcpConn;

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** @param url of the page */
  static async connect(url: string): Promise<RawHttp> {
    const { hostname, port } = new URL(url);
    return new RawHttp(await Deno.connect({ hostname, port: Number(port) }));
  }

  /** Sends text; each character is a byte. */
  async send(text: string): Promise<void> {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    for (let at = 0; at < bytes.byteLength;) at += await this.#socket.write(bytes.subarray(at));
  }

  /** Sends a request. */
  async ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<void> {
    const lines = Object.entries({ Host: this.host, ...headers })
      .map(([name, value]) => `${name}: ${value}\r\n`);
    await this.send(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  }

  /** Host and port of the page. */
  get host(): string {
    const { hostname, port } = this.#socket.remoteAddr;
    return `${hostname}:${port}`;
  }

  /** What comes until a pattern is found, or else until the connection is closed. */
  async read(pattern?: RegExp): Promise<string> {
    let text = "";
    const decoder = new TextDecoder();
    const memory = new Uint8Array(64 * 1024);
    while (pattern === undefined || !pattern.test(text)) {
      const count = await this.#socket.read(memory).catch((error) => {
        if (error instanceof Deno.errors.ConnectionReset) return null;
        throw error;
      });
      if (count === null) break;
      text += decoder.decode(memory.subarray(0, count), { stream: true });
    }
    return text;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** All of the response to a request that ends the connection. */
export async function answerTo(
  url: string,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<string> {
  using raw = await RawHttp.connect(url);
  await raw.ask(path, { Connection: "close", ...headers }, method);
  return await raw.read();
}

/** The status of a response. */
export function statusIn(text: string): number {
  return Number(text.match(/^HTTP\/1\.1 (\d{3}) /)?.[1]);
}

/** The value of `Authorization` by which a program sends a token as a password. */
export function basic(user: string, password: string): string {
  return `Basic ${encoder.encode(`${user}:${password}`).toBase64()}`;
}

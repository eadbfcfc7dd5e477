/** A real media server: nginx with its RTMP module, which publishes HLS. */
import { PATIENCE } from "../time/patience.ts";
import { freePort, isInstalled } from "./machine.ts";
import { HelperProgram } from "./running_program.ts";

/** Path of the module on Debian. */
const MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/** Milliseconds between two requests while something is awaited. */
const LOOK_INTERVAL = 100;

/** nginx in the foreground, on two free ports of this machine, with a folder of its own. */
export class MediaServer implements AsyncDisposable {
  /** URL to publish to, without the stream's name. */
  readonly rtmp: string;
  /** URL of the HLS playlists, without the stream's name. */
  readonly http: string;
  #program: HelperProgram;
  #folder: string;

  private constructor(folder: string, ports: { rtmp: number; http: number }) {
    const args = ["-p", folder, "-e", "stderr", "-c", `${folder}/nginx.conf`];
    this.#program = new HelperProgram("nginx", args, { signal: "SIGTERM" });
    this.#folder = folder;
    this.rtmp = `rtmp://127.0.0.1:${ports.rtmp}/live`;
    this.http = `http://127.0.0.1:${ports.http}/hls`;
  }

  /** Starts it and waits until it listens. */
  static async start(): Promise<MediaServer> {
    const folder = await Deno.makeTempDir({ prefix: "stream_nginx_" });
    await Deno.mkdir(`${folder}/hls`);
    const ports = { rtmp: freePort(), http: freePort() };
    await Deno.writeTextFile(`${folder}/nginx.conf`, configuration(folder, ports));
    const server = new MediaServer(folder, ports);
    await server.#until(`http://127.0.0.1:${ports.http}/`, () => true);
    return server;
  }

  /** Waits until the playlist of a stream has a segment, and gives the playlist's URL. */
  async published(name: string): Promise<string> {
    const address = `${this.http}/${name}.m3u8`;
    await this.#until(address, (text) => /^[^#\n]+\.ts$/m.test(text));
    return address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }

  /** Waits until a response fits. */
  async #until(address: string, fits: (text: string) => boolean): Promise<void> {
    const limit = performance.now() + PATIENCE;
    let seen = "nothing";
    while (performance.now() < limit) {
      const text = await textAt(address);
      if (text !== undefined && fits(text)) return;
      seen = text ?? seen;
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    }
    throw new Error(`Cannot see "${address}": ${seen}, ${this.#program.stderr.text}`);
  }
}

/** Whether nginx and its RTMP module are installed. */
export async function isMediaServerThere(): Promise<boolean> {
  try {
    await Deno.stat(MODULE);
    return isInstalled("nginx");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function textAt(address: string): Promise<string | undefined> {
  try {
    const response = await fetch(address);
    return await response.text();
  } catch (error) {
    // It does not listen yet.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function configuration(folder: string, { rtmp, http }: { rtmp: number; http: number }): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ");
  return `
load_module ${MODULE};
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr info;
events { worker_connections 64; }
rtmp {
  access_log off;
  server {
    listen 127.0.0.1:${rtmp};
    application live {
      live on;
      hls on;
      hls_path ${folder}/hls;
      hls_fragment 1s;
      hls_playlist_length 60s;
      hls_cleanup off;
    }
  }
}
http {
  access_log off;
  ${temporary}
  server {
    listen 127.0.0.1:${http};
    location / { return 200; }
    location /hls { root ${folder}; }
  }
}
`;
}

/** A server with a published source whose streams change. */
import { mediaFolder } from "../media/media_folder.ts";
import { at, type InsideOptions, type Outcome, runInside } from "../programs/run_inside.ts";
import { rawStream, type StreamFields, TestPublisher } from "./test_publisher.ts";
import { type TestServer, testServer } from "./test_server.ts";

const media = mediaFolder();

/** Milliseconds from frame to frame. */
const INTERVAL = 40;

/** Raw video of one size, and how much of it. */
export interface Run {
  width: number;
  height: number;
  /** @default "gray" */
  pixelFormat?: string;
  frames: number;
  /** Streams besides the video. */
  data?: readonly StreamFields[];
  /** Called in front of each frame, with its number in the run and its timestamp in milliseconds. */
  before?: (frame: number, timestamp: number) => Promise<void>;
}

/** What a test does while the client plays. */
export interface Played {
  publisher: TestPublisher;
  /** Describes video and sends frames of it. */
  publish: (run: Run) => Promise<void>;
}

/** A server, and `cam`, which sends while somebody watches. */
export class LiveServer implements AsyncDisposable {
  readonly server: TestServer;
  readonly publisher: TestPublisher;
  /** Timestamp of the next frame, milliseconds. */
  #next = 5000;

  private constructor(server: TestServer, publisher: TestPublisher) {
    this.server = server;
    this.publisher = publisher;
  }

  static async start(): Promise<LiveServer> {
    const server = await testServer({ media: media.path, live: { sources: [], linger: 0 } });
    const request = { name: "cam", onDemand: true };
    return new LiveServer(server, await TestPublisher.begin(server.address.port, request));
  }

  /**
   * Runs the client in this process while an action publishes; the source ends with the action.
   *
   * @param flags besides those that name the source
   */
  async play(
    flags: readonly string[],
    action: (played: Played) => Promise<void>,
    options?: InsideOptions,
  ): Promise<Outcome> {
    const outcome = runInside(["--video", "cam", ...flags, ...at(this.server)], options);
    await this.publisher.asked("resume");
    await action({
      publisher: this.publisher,
      publish: (run) => this.publish(run),
    });
    await this.publisher.finish();
    return await outcome;
  }

  /** Describes video and sends frames of it. */
  async publish({ data = [], before, frames, ...run }: Run): Promise<void> {
    const { width, height, pixelFormat = "gray" } = run;
    await this.publisher.describe(rawStream(width, height, pixelFormat), ...data);
    const size = width * height * (pixelFormat === "bgr24" ? 3 : 1);
    for (let frame = 0; frame < frames; frame++) {
      await before?.(frame, this.#next);
      const picture = new Uint8Array(size).fill(20 + 10 * frame);
      await this.publisher.send({ timestamp: this.#next, data: picture });
      this.#next += INTERVAL;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.publisher[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

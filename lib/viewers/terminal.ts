import { ByteReader, fromStream } from "../core/byte_reader.ts";
import { OutputClosedError, ProcessError, TruncatedError } from "../core/errors.ts";
import type { Frame, VideoStream } from "../core/frame.ts";
import { nutInputArguments } from "../media/encoder_arguments.ts";
import { FrameSink, reasonOf } from "../media/frame_sink.ts";
import { pictureTrim, turned, turnFilters } from "../media/presentation_filters.ts";
import { fitPicture, renderHalfBlocks, type Size } from "./half_blocks.ts";
import type { Presentation, Viewer } from "./viewer.ts";

/** The terminal that pictures are drawn on. */
export interface Terminal {
  write: (text: string) => void;
  size: () => { columns: number; rows: number };
  /** Ends drawing at once. */
  forced?: AbortSignal;
}

/** To a screen of its own, and back to what was there before; the cursor hidden meanwhile. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";

/** Draws pictures with coloured characters. Sound is left out. */
export class TerminalViewer implements Viewer {
  #terminal: Terminal;
  #sink: FrameSink | undefined;
  #video: VideoStream | undefined;
  #drawing: Promise<void> = Promise.resolve();
  #still = false;
  #entered = false;
  /** What stands below the picture. */
  #told = "";
  /** Why drawing ended early. */
  #failure: unknown;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  begin({ streams, still, lead }: Presentation): Promise<void> {
    const video = streams.find((stream) => stream.type === "video");
    if (video === undefined) throw new Error("Cannot show sound in a terminal: try --view window");
    const { columns, rows } = this.#terminal.size();
    // The last row stays free: a full one would scroll.
    const size = fitPicture(shownSize(turned(video)), { width: columns, height: rows - 1 });
    this.#video = video;
    this.#still = still;
    const sink = new FrameSink("ffmpeg", scalerArguments(video, size, { still, lead }), {
      streams: [video],
      lead,
      stdout: "piped",
      signal: this.#terminal.forced,
    });
    this.#sink = sink;
    const reader = new ByteReader(fromStream(sink.stdout));
    this.#drawing = this.#draw(reader, size).catch(async (error) => {
      // Nobody reads FFmpeg's pictures any more, so it would wait for ever, and with it show().
      this.#failure = error;
      await sink[Symbol.asyncDispose]();
      await reader.cancel();
    });
    return Promise.resolve();
  }

  async show(frame: Frame): Promise<boolean> {
    if (frame.streamId !== this.#video?.id) return true;
    return await this.#guarded(async () => await this.#sink?.write(frame) ?? false);
  }

  /** Puts a line below the picture, for as long as it is drawn. */
  tell(line: string): void {
    this.#told = line;
    if (this.#entered) this.#drawTold();
  }

  async finish(_whole: boolean): Promise<undefined> {
    await this.#guarded(async () => {
      await this.#sink?.finish();
      await this.#drawing;
      return true;
    });
    this.#leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink?.[Symbol.asyncDispose]();
    this.#leave();
  }

  /** Draws each picture as FFmpeg gives it, scaled. */
  async #draw(reader: ByteReader, size: Size): Promise<void> {
    let pixels = new Uint8Array(size.width * size.height * 3);
    try {
      while (await reader.peek(1) !== undefined) {
        pixels = await reader.readInto(pixels);
        const lines = renderHalfBlocks(pixels, size);
        if (this.#still) {
          this.#terminal.write(`${lines.join("\n")}\n`);
        } else {
          this.#enter();
          this.#terminal.write(`${HOME}${lines.join("\r\n")}`);
        }
      }
    } catch (error) {
      // FFmpeg was ended in the middle of a picture, by whoever ended the viewer.
      if (!(error instanceof TruncatedError)) throw error;
    }
  }

  #enter(): void {
    if (this.#entered) return;
    this.#entered = true;
    this.#terminal.write(ENTER);
    this.#drawTold();
  }

  #drawTold(): void {
    const { columns, rows } = this.#terminal.size();
    this.#terminal.write(`\x1b[${rows};1H\x1b[K${this.#told.slice(0, columns - 1)}`);
  }

  #leave(): void {
    const entered = this.#entered;
    this.#entered = false;
    if (entered && this.#failure === undefined) this.#terminal.write(LEAVE);
  }

  async #guarded(action: () => Promise<boolean>): Promise<boolean> {
    try {
      const done = await action();
      if (this.#failure === undefined) return done;
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      if (this.#failure === undefined) {
        throw new Error(`Cannot draw in the terminal: ${reasonOf(error)}`, { cause: error });
      }
    }
    // Whoever looked has gone, as when a pipe is closed.
    if (this.#failure instanceof OutputClosedError) return false;
    throw this.#failure;
  }
}

/** Pixels as they look: those of a picture whose pixels are not square are stretched. */
function shownSize({ width, height, sampleAspectRatio: [wide, high] = [1, 1] }: VideoStream): Size {
  return { width: width * wide / high, height };
}

function scalerArguments(
  video: VideoStream,
  { width, height }: Size,
  { still, lead }: Pick<Presentation, "still" | "lead">,
): string[] {
  const filters = [
    ...(lead > 0 && !still ? pictureTrim(0) : []),
    ...turnFilters(video),
    ...[`scale=${width}:${height}:flags=area`, "format=rgb24"],
  ];
  return [
    ...["-v", "error", "-fpsprobesize", "0", "-analyzeduration", "200000"],
    ...nutInputArguments([video], { lead }),
    ...["-vf", filters.join(","), "-fps_mode", "passthrough"],
    // FFmpeg would else hold pictures back: one in each thread, small ones up to 32 kB of them.
    ...["-threads", "1", "-flush_packets", "1", "-f", "rawvideo", "pipe:1"],
  ];
}

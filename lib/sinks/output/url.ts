/** Media to a URL, in real time. */
import { deadline } from "../../base/async.ts";
import type { Frame } from "../../media/frame.ts";
import { type Presentation, type Sink, summaryOf } from "../sink.ts";
import { EncodedOutput, type EncodedOutputOptions } from "./encoder.ts";
import { shownAddress, urlTarget, withoutSecrets } from "./url_target.ts";

/** Options of {@linkcode UrlSink}. */
export interface UrlSinkOptions extends Omit<EncodedOutputOptions, "stdout"> {
  /** FFmpeg's name of the format, if not that of the URL. */
  format?: string;
  /** Milliseconds in which FFmpeg has to take a frame, or to exit. @default 30_000 */
  patience?: number;
}

/** Milliseconds; FFmpeg itself has no timeout for some servers, such as those of RTSP. */
const PATIENCE = 30_000;

/** FFmpeg's message about a connection, in front of the reason. */
const CONNECTION = /^(Connection to \S+ failed|Could not write header [^:]*|[a-z0-9+]+:\/\/\S+): /;

/** Reasons that mean that no server listens, or that it refuses the stream. */
const NO_LISTENER = /refused|timed out|resolve|unreachable/i;
const REFUSED = /nothing was taken|Input\/output error|Broken pipe|reset by peer/i;

/** Schemes whose responses FFmpeg ignores, even errors. */
const IGNORES_RESPONSE = /^https?:/i;

/**
 * Sends everything to a URL with FFmpeg, for a media server, a CDN or another program: as H.264 and
 * AAC, unless the packets can be copied.
 */
export class UrlSink implements Sink {
  readonly isRecording = true;
  #url: string;
  #options: UrlSinkOptions;
  #output: EncodedOutput | undefined;
  readonly notes: string[] = [];

  constructor(url: string, options: UrlSinkOptions) {
    this.#url = url;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    if (this.#output !== undefined) {
      const note = await this.finish(true);
      if (note !== undefined) this.notes.push(note);
      throw new Error(
        `Cannot go on writing to "${shownAddress(this.#url)}": the source is ` +
          `${summaryOf(presentation)} now, and what the other side takes cannot change in the ` +
          "middle; start again for the rest",
      );
    }
    const target = urlTarget(this.#url, this.#options.format);
    this.#output = await EncodedOutput.start(presentation, target, {
      ...this.#options,
      explain: (reason) => this.#explain(reason),
    });
  }

  async show(frame: Frame): Promise<boolean> {
    return await this.#inTime((output) => output.write(frame)) ?? false;
  }

  async finish(_whole: boolean): Promise<string | undefined> {
    if (this.#output === undefined || this.#output.frames === 0) return undefined;
    await this.#inTime((output) => output.finish());
    const ignored = IGNORES_RESPONSE.test(this.#url)
      ? ["FFmpeg does not notice if a web server refuses it"]
      : [];
    const written = `wrote to "${shownAddress(this.#url)}"`;
    return [written, ...ignored, ...this.#output.notes].join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#output?.[Symbol.asyncDispose]();
  }

  /** Runs an action, and kills FFmpeg if the other side stalls. */
  async #inTime<T>(act: (output: EncodedOutput) => Promise<T>): Promise<T | undefined> {
    const output = this.#output;
    if (output === undefined) return undefined;
    const { patience = PATIENCE } = this.#options;
    let stalled = false;
    using _limit = deadline(patience, () => {
      stalled = true;
      output.kill();
    });
    try {
      return await act(output);
    } catch (cause) {
      if (!stalled) throw cause;
      const reason = `nothing was taken for ${patience / 1000} s`;
      throw new Error(this.#explain(reason), { cause });
    }
  }

  #explain(reason: string): string {
    const shown = withoutSecrets(reason.replace(CONNECTION, ""), this.#url);
    const hint = NO_LISTENER.test(shown)
      ? ", expected a server that listens there"
      : REFUSED.test(shown)
      ? ", expected a server that takes it under this name, and goes on taking it"
      : "";
    return `Cannot write to "${shownAddress(this.#url)}": ${shown}${hint}`;
  }
}

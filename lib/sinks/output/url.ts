import { deadline } from "../../base/async.ts";
import type { Frame } from "../../media/frame.ts";
import type { Presentation, Sink } from "../sink.ts";
import { EncodedOutput, type EncodedOutputOptions } from "./encoder.ts";
import { shownAddress, urlTarget, withoutSecrets } from "./url_target.ts";

/** Options of {@linkcode UrlSink}. */
export interface UrlSinkOptions extends Omit<EncodedOutputOptions, "stdout"> {
  /** FFmpeg's name of the format, where the address does not tell it. */
  format?: string;
  /** Milliseconds in which FFmpeg has to take a frame, or to come to its end. */
  patience?: number;
}

/** FFmpeg waits for some servers, such as those of RTSP, for as long as they say nothing. */
const PATIENCE = 30_000;

/** What FFmpeg says of a connection that it could not make, in front of the reason. */
const CONNECTION = /^(Connection to \S+ failed|Could not write header [^:]*|[a-z0-9+]+:\/\/\S+): /;

/** Reasons that mean that nobody listens, or that whoever listens does not want it. */
const NOBODY = /refused|timed out|resolve|unreachable/i;
const NOT_TAKEN = /nothing was taken|Input\/output error|Broken pipe|reset by peer/i;

/** Addresses whose answers FFmpeg does not read, even where they say that nothing was taken. */
const UNHEARD = /^https?:/i;

/**
 * Has FFmpeg send everything to an address, where a media server, a CDN, or another program takes
 * it: as H.264 and AAC, unless the packets fit as they are.
 */
export class UrlSink implements Sink {
  #url: string;
  #options: UrlSinkOptions;
  #output: EncodedOutput | undefined;

  constructor(url: string, options: UrlSinkOptions) {
    this.#url = url;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
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
    const unheard = UNHEARD.test(this.#url)
      ? ["FFmpeg does not hear it where a web server refuses"]
      : [];
    const fed = `fed "${shownAddress(this.#url)}"`;
    return [fed, ...unheard, ...this.#output.notes].join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#output?.[Symbol.asyncDispose]();
  }

  /** Has FFmpeg do something, and ends it where the other side stalls. */
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
    const said = withoutSecrets(reason.replace(CONNECTION, ""), this.#url);
    const hint = NOBODY.test(said)
      ? ", expected a server that listens there"
      : NOT_TAKEN.test(said)
      ? ", expected a server that takes it under this name, and goes on taking it"
      : "";
    return `Cannot feed "${shownAddress(this.#url)}": ${said}${hint}`;
  }
}

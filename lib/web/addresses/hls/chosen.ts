/** HLS as it fits the media. */
import { RequestError } from "../../../base/errors.ts";
import type { MediaRequest } from "../../../protocol/native/request.ts";
import type { WebService } from "../../service.ts";
import { divide, FileRendition, type FileTimes } from "./file_rendition.ts";
import type { Hls, HlsOptions } from "./hls.ts";
import { HlsRendition } from "./rendition.ts";

/** Options of {@linkcode ChosenHls}. */
export interface ChosenHlsOptions extends HlsOptions {
  request: MediaRequest;
  /** Opens responses. */
  open: WebService["open"];
  /** It is live, or nothing is known of it. */
  isLive: () => Promise<boolean>;
}

/** HLS of a file as a whole, if it is known how to divide it, or else of what is shown now. */
export class ChosenHls implements Hls {
  readonly ended: Promise<void>;
  #chosen: Promise<Hls>;
  #hls: Hls | undefined;

  constructor(options: ChosenHlsOptions) {
    this.#chosen = choose(options).then((hls) => this.#hls = hls);
    this.ended = this.#chosen.then(({ ended }) => ended, () => {});
  }

  get isEnding(): boolean {
    return this.#hls?.isEnding ?? false;
  }

  async playlist(query: string, signal: AbortSignal): Promise<string> {
    return await (await this.#chosen).playlist(query, signal);
  }

  async file(name: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await (await this.#chosen).file(name, signal);
  }
}

async function choose({ request, open, isLive, ...options }: ChosenHlsOptions): Promise<Hls> {
  const times = await isLive() ? undefined : await readTimes(request, { open, ...options });
  if (times !== undefined) return new FileRendition({ request, open, times, ...options });
  return new HlsRendition({ open: (signal) => open(request, signal), ...options });
}

/** How a file is divided; its description needs no decoder. */
async function readTimes(
  { name, fps, start, duration }: MediaRequest,
  { open, signal }: Pick<ChosenHlsOptions, "open" | "signal">,
): Promise<FileTimes | undefined> {
  using response = await open({ command: "get_video", name, encoding: "copy" }, signal);
  for await (const part of response) {
    if (part.kind === "describe") return divide(part.description, { fps, start, duration });
  }
  throw new RequestError("not_found", `Cannot show "${name}": it ended at once`);
}

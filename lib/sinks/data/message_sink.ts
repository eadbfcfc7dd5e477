/** The messages of data streams on standard output or in a file. */
import { OutputClosedError } from "../../base/errors.ts";
import type { Frame } from "../../media/frame.ts";
import type { OverwriteOptions } from "../output/overwrite.ts";
import type { DataMessage, Presentation, Sink } from "../sink.ts";
import { LineFile } from "./message_file.ts";
import { MessageLog } from "./message_log.ts";

/** Options of {@linkcode MessageSink}. */
export interface MessageSinkOptions extends OverwriteOptions {
  /** Writes text to standard output; resolves when it is written. */
  print: (text: string) => Promise<void>;
}

/** Writes all messages, and nothing else. Their times count from the beginning of the frames. */
export class MessageSink implements Sink {
  #path: string;
  #options: MessageSinkOptions;
  #file: LineFile | undefined;
  #log = new MessageLog((line) => this.#write(line));

  /** @param path a file, or `-` for standard output */
  constructor(path: string, options: MessageSinkOptions) {
    this.#path = path;
    this.#options = options;
  }

  async begin({ streams }: Presentation): Promise<void> {
    this.#log.begin(streams);
    if (this.#path === "-" || this.#file !== undefined) return;
    this.#file = await LineFile.open(this.#path, this.#options);
  }

  async show(frame: Frame): Promise<boolean> {
    return await this.#log.see(frame);
  }

  async takeMessage(message: DataMessage): Promise<boolean> {
    return await this.#log.take(message);
  }

  async finish(_whole: boolean): Promise<string | undefined> {
    await this.#log.end();
    if (this.#file === undefined) return undefined;
    this.#file[Symbol.dispose]();
    return `wrote "${this.#path}"`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#file?.[Symbol.dispose]();
    return Promise.resolve();
  }

  /** @returns false if the reader of standard output has closed it */
  async #write(line: string): Promise<boolean> {
    try {
      if (this.#file === undefined) await this.#options.print(line);
      else await this.#file.write(line);
      return true;
    } catch (error) {
      if (error instanceof OutputClosedError) return false;
      throw error;
    }
  }
}

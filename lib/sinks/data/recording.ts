/** The messages of data streams in a file beside a recording. */
import type { Frame } from "../../media/frame.ts";
import {
  asWrite,
  checkAbsent,
  type OverwriteOptions,
  reservePart,
  statOf,
  suffixOf,
} from "../output/overwrite.ts";
import type { DataMessage, Presentation, Sink } from "../sink.ts";
import { LineFile } from "./message_file.ts";
import { MessageLog } from "./message_log.ts";

/** Path of the messages of a recording: `clip.jsonl` for `clip.mp4`. */
export function messagesPath(recording: string): string {
  return `${recording.slice(0, recording.length - suffixOf(recording).length)}.jsonl`;
}

/**
 * A recording, and beside it a file of the messages if any come. Like the recording, that is written
 * as `x.part.jsonl` and renamed once it is complete.
 */
export class RecordingWithMessages implements Sink {
  #recording: Sink;
  #path: string;
  #messagesPath: string;
  #options: OverwriteOptions;
  /** The recording is a device or a pipe, beside which nothing is written. */
  #isAlone = false;
  #part: string | undefined;
  #file: LineFile | undefined;
  #log = new MessageLog((line) => this.#write(line));

  /** @param path of the recording */
  constructor(recording: Sink, path: string, options: OverwriteOptions) {
    this.#recording = recording;
    this.#path = path;
    this.#messagesPath = messagesPath(path);
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    const { streams, data = [], name } = presentation;
    if (streams.length === 0) {
      const reason = `"${name}" has only data, expected --data FILE in place of --output`;
      throw new Error(`Cannot write "${this.#path}": ${reason}`);
    }
    const info = await statOf(this.#path);
    this.#isAlone = info !== undefined && !info.isFile;
    // Before anything is written.
    if (data.length > 0 && !this.#isAlone) await checkAbsent(this.#messagesPath, this.#options);
    await this.#recording.begin(presentation);
    this.#log.begin(streams);
  }

  async show(frame: Frame): Promise<boolean> {
    const [isOpen] = await Promise.all([this.#recording.show(frame), this.#log.see(frame)]);
    return isOpen;
  }

  async takeMessage(message: DataMessage): Promise<boolean> {
    return this.#isAlone || await this.#log.take(message);
  }

  async finish(whole: boolean): Promise<string | undefined> {
    const note = await this.#recording.finish(whole);
    await this.#log.end();
    this.#file?.[Symbol.dispose]();
    if (this.#part === undefined) return note;
    const isPublished = whole && note !== undefined;
    if (isPublished) await this.#publish(this.#part);
    const path = isPublished ? this.#messagesPath : this.#part;
    return [...(note === undefined ? [] : [note]), `its data is in "${path}"`].join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file?.[Symbol.dispose]();
    await this.#recording[Symbol.asyncDispose]();
  }

  async #publish(part: string): Promise<void> {
    await checkAbsent(this.#messagesPath, this.#options);
    await asWrite(this.#messagesPath, () => Deno.rename(part, this.#messagesPath));
  }

  async #write(line: string): Promise<boolean> {
    if (this.#file === undefined) {
      await checkAbsent(this.#messagesPath, this.#options);
      this.#part = await reservePart(this.#messagesPath);
      const path = this.#part ?? this.#messagesPath;
      this.#file = await LineFile.open(path, { overwrite: true });
    }
    await this.#file.write(line);
    return true;
  }
}

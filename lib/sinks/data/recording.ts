/** The messages of data streams in a file beside a recording. */
import { messageOf } from "../../base/errors.ts";
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
  readonly isRecording = true;
  #recording: Sink;
  #path: string;
  #messagesPath: string;
  #options: OverwriteOptions;
  /** Nothing is written beside the recording: that is a device or a pipe, or a file is in the way. */
  #isAlone = false;
  /** Why messages are missing. */
  #refusal: string | undefined;
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
    const hasMessages = data.some(({ codec }) => codec !== "subtitle");
    if (hasMessages && !this.#isAlone) await checkAbsent(this.#messagesPath, this.#options);
    await this.#recording.begin(presentation);
    this.#log.begin(streams);
  }

  async show(frame: Frame): Promise<boolean> {
    const [isOpen] = await Promise.all([this.#recording.show(frame), this.#log.see(frame)]);
    return isOpen;
  }

  subtitle(text: string, start: number, end: number): void {
    this.#recording.subtitle?.(text, start, end);
  }

  async takeMessage(message: DataMessage): Promise<boolean> {
    return this.#isAlone || await this.#log.take(message);
  }

  async finish(whole: boolean): Promise<string | undefined> {
    const note = await this.#recording.finish(whole);
    await this.#log.end();
    this.#file?.[Symbol.dispose]();
    const notes = [note, await this.#finishMessages(whole && note !== undefined)]
      .filter((text) => text !== undefined);
    return notes.length === 0 ? undefined : notes.join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file?.[Symbol.dispose]();
    await this.#recording[Symbol.asyncDispose]();
  }

  /** @returns what became of the messages, if there are any */
  async #finishMessages(isWhole: boolean): Promise<string | undefined> {
    if (this.#part === undefined || !isWhole) {
      return this.#part === undefined ? this.#refusal : `its data is in "${this.#part}"`;
    }
    const part = this.#part;
    await checkAbsent(this.#messagesPath, this.#options);
    await asWrite(this.#messagesPath, () => Deno.rename(part, this.#messagesPath));
    return `its data is in "${this.#messagesPath}"`;
  }

  async #write(line: string): Promise<boolean> {
    this.#file ??= await this.#open();
    await this.#file?.write(line);
    return true;
  }

  async #open(): Promise<LineFile | undefined> {
    try {
      // Checked when the recording began, if it was known then that messages would come.
      await checkAbsent(this.#messagesPath, this.#options);
    } catch (error) {
      this.#isAlone = true;
      this.#refusal = messageOf(error);
      return undefined;
    }
    this.#part = await reservePart(this.#messagesPath);
    return await LineFile.open(this.#part ?? this.#messagesPath, { overwrite: true });
  }
}

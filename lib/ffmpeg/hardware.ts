/** Recognises failures of the hardware that FFmpeg uses, and goes on without it. */
import { RequestError } from "../base/errors.ts";
import { type Hardware, SOFTWARE } from "./encoders.ts";
import { stderrReason } from "./stderr.ts";

/** Words of FFmpeg when it gives up a device or an encoder. The reason stands before them. */
const GIVES_UP =
  /^.*(Device creation failed|Device setup failed|No device available for decoder|Error while opening encoder|Error initializing output stream|hwupload).*$/m;

/** FFmpeg's reason for a failure of hardware: what it says before it gives up. */
export function reasonBefore(stderr: string): string | undefined {
  const before = stderr.slice(0, stderr.match(GIVES_UP)?.index);
  return (stderrReason(before) ?? stderrReason(stderr))?.replace(/[. ]+$/, "");
}

/** FFmpeg failed by the hardware that it was to use, and not by what it read. */
export class HardwareError extends RequestError {
  override name = "HardwareError";

  /** @param reason FFmpeg's, without what it is about */
  constructor(message: string, readonly reason: string, options?: ErrorOptions) {
    super("media_error", message, options);
  }
}

/**
 * The reason of an FFmpeg that failed by its hardware.
 *
 * @param stderr FFmpeg's standard error
 * @returns `undefined` if it used none, or failed by something else
 */
export function hardwareReason(
  stderr: string,
  { encoder, hwaccel }: Hardware = SOFTWARE,
): string | undefined {
  if (encoder === "libx264" && hwaccel === undefined) return undefined;
  return GIVES_UP.test(stderr) ? reasonBefore(stderr) : undefined;
}

/**
 * Opens what uses hardware, and opens it again without if the hardware fails: an encoder takes a
 * certain number of streams, of certain sizes, and a device may be unplugged.
 */
export class HardwareFallback {
  /** The hardware to use as long as it works. */
  readonly hardware: Hardware;
  #tell: (line: string) => void;
  #hasTold = false;

  /** @param tell takes a line at the first failure */
  constructor(hardware: Hardware, tell: (line: string) => void) {
    this.hardware = hardware;
    this.#tell = tell;
  }

  /**
   * Opens something.
   *
   * @param name of what is opened, for the line that tells of a failure
   * @throws {unknown} the error of `open`
   */
  async open<T>(name: string, open: (hardware: Hardware) => Promise<T>): Promise<T> {
    try {
      return await open(this.hardware);
    } catch (error) {
      if (!(error instanceof HardwareError)) throw error;
      if (!this.#hasTold) this.#tell(this.#describe(name, error));
      this.#hasTold = true;
      return await open(SOFTWARE);
    }
  }

  /**
   * Opens the parts of one response, all of them as the first one: their headers have to be the same.
   *
   * @param name of the response
   */
  opener(name: string): <T>(open: (hardware: Hardware) => Promise<T>) => Promise<T> {
    let used: Hardware | undefined;
    return async (open) => {
      if (used !== undefined) return await open(used);
      return await this.open(name, async (hardware) => {
        const opened = await open(hardware);
        used = hardware;
        return opened;
      });
    };
  }

  #describe(name: string, { reason }: HardwareError): string {
    const { encoder, hwaccel } = this.hardware;
    const used = [hwaccel, encoder].filter((part) => part !== undefined && part !== "libx264");
    return `Cannot use ${used.join(" and ")} for "${name}": ${reason}; the processor is used ` +
      "instead, here and where it fails again";
  }
}

/** The Python server that users have, as a process. */
import { findPython } from "../../peers/python.ts";
import { Output, pathOf } from "../programs/running_program.ts";

/** A Python with numpy and OpenCV; tests that need one are ignored where there is none. */
export const PYTHON = await findPython(["numpy", "cv2"]);

/** A Python server that runs, on a free port. */
export class ScriptServer implements AsyncDisposable {
  readonly port: string;
  #child: Deno.ChildProcess;
  #outputs: readonly Output[];

  private constructor(child: Deno.ChildProcess, outputs: readonly Output[], port: string) {
    this.#child = child;
    this.#outputs = outputs;
    this.port = port;
  }

  /** Starts it and waits until it listens. */
  static async start(media: string, args: readonly string[]): Promise<ScriptServer> {
    const child = new Deno.Command(PYTHON ?? "python3", {
      args: [pathOf("tests/peers/classic_server.py"), media, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const outputs = [new Output(child.stdout), new Output(child.stderr)];
    const [, port] = await outputs[0].until(/^Listening on [\d.]+:(\d+)\n/);
    return new ScriptServer(child, outputs, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await Promise.all(this.#outputs.map(({ ended }) => ended));
  }
}

/** The Python server of the script protocol, as a process. */
import { findPython } from "../../peers/python.ts";
import { HelperProgram, pathOf } from "../programs/running_program.ts";

/** A Python with numpy and OpenCV; tests that need it are ignored without it. */
export const PYTHON = await findPython(["numpy", "cv2"]);

/** A Python server that runs, on a free port. */
export class ScriptServer implements AsyncDisposable {
  private constructor(readonly port: string, private readonly program: HelperProgram) {}

  /** Starts it and waits until it listens. */
  static async start(media: string, args: readonly string[]): Promise<ScriptServer> {
    const script = pathOf("tests/peers/script_server.py");
    const program = new HelperProgram(PYTHON ?? "python3", [script, media, ...args]);
    const [, port] = await program.stdout.until(/^Listening on [\d.]+:(\d+)\n/);
    return new ScriptServer(port, program);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

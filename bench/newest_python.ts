/** The newest frame of a live source, as a loop in Python gets it. */
import { linesOf } from "./lines.ts";
import { scriptPath } from "./peers/python.ts";

/**
 * The first bytes of the frames that a loop with the package takes: one for each that is asked for,
 * so that the loop works on a frame for as long as the consumer does.
 *
 * @param port of the server
 */
export async function* pythonFrames(
  port: number,
  { name, python, signal }: { name: string; python: string; signal: AbortSignal },
): AsyncGenerator<Uint8Array, void> {
  const command = new Deno.Command(python, {
    args: [scriptPath("newest_receiver.py"), String(port), name],
    ...{ stdin: "piped", stdout: "piped", stderr: "null", signal },
  });
  await using child = command.spawn();
  const writer = child.stdin.getWriter();
  const line = new TextEncoder().encode("\n");
  try {
    await writer.write(line);
    for await (const number of linesOf(child.stdout)) {
      const frame = new Uint8Array(4);
      new DataView(frame.buffer).setUint32(0, Number(number));
      yield frame;
      await writer.write(line);
    }
  } finally {
    await writer.close();
  }
}

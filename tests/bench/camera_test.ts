import { assert, assertEquals } from "@std/assert";
import {
  Camera,
  CAMERA_FRAME_SIZE,
  MARK_LENGTH,
  parseMark,
  wallClock,
} from "../../bench/camera.ts";

Deno.test("Camera gives frames that hold their numbers, and the moments at which they were made", async () => {
  const began = wallClock();
  await using camera = new Camera();
  const port = Number(camera.input.split(":").at(-1));
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = "YUV4MPEG2 W640 H360 F30:1 Ip A1:1 C420jpeg\n";
  const bytes = await read(socket, head.length + 2 * (6 + CAMERA_FRAME_SIZE));
  const ended = wallClock();
  assertEquals(new TextDecoder().decode(bytes.subarray(0, head.length)), head);
  const marks = [0, 1].map((index) => {
    const at = head.length + index * (6 + CAMERA_FRAME_SIZE);
    assertEquals(new TextDecoder().decode(bytes.subarray(at, at + 6)), "FRAME\n");
    return parseMark(bytes.subarray(at + 6, at + 6 + MARK_LENGTH));
  });
  const [first, second] = marks;
  assert(began <= first.madeAt && first.madeAt < second.madeAt && second.madeAt <= ended);
  assert(first.number < second.number && second.number <= camera.next);
});

async function read(socket: Deno.Conn, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  let filled = 0;
  while (filled < count) {
    const got = await socket.read(bytes.subarray(filled));
    assert(got !== null);
    filled += got;
  }
  return bytes;
}

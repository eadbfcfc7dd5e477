/** Both programs with the permissions of the executables, where these do not suffice. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { programsFor } from "../../tools/build_table.ts";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import { testServer } from "../support/peers/test_server.ts";
import { at } from "../support/programs/run_inside.ts";
import {
  type Ending,
  importFlags,
  pathOf,
  runProgram,
} from "../support/programs/running_program.ts";
import { linuxTest } from "../support/test_if.ts";

const media = mediaFolder();

/** Runs a program from its source with the permissions of its executable. */
async function runPermitted(
  name: "server" | "client",
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ending> {
  const { permissions, entry } = programsFor("linux")[name];
  const flags = ["--no-prompt", "--quiet", "--config", pathOf("deno.json"), ...importFlags()];
  const start = ["run", ...flags, ...permissions, pathOf(entry)];
  return await runProgram(name, [...start, ...args], { path: Deno.execPath(), env });
}

/** Command lines of both programs that name something that they may not use, and the reason. */
const SPECIAL = "it is a special file of the system, which this program may not open";
const REFUSED: readonly (readonly ["server" | "client", string, string])[] = [
  ["client", "--list --token-file /dev/stdin", `the token in "/dev/stdin": ${SPECIAL}`],
  ["client", "--list --token-file /", 'the token in "/": it is a folder'],
  [
    "client",
    "--list --ca-cert /proc/self/environ",
    `the certificate in "/proc/self/environ": ${SPECIAL}`,
  ],
  ["client", "--image --output /proc/x.png", `"/proc/x.png": ${SPECIAL}`],
  ["client", "--image --output /dev/stdout --format mjpeg", `"/dev/stdout": ${SPECIAL}`],
  ["client", "--video --data /proc/x.jsonl", `"/proc/x.jsonl": ${SPECIAL}`],
  ["server", "--media /proc", '"/proc": it is not readable'],
  ["server", "--media MEDIA --token-file /dev/stdin", `the token in "/dev/stdin": ${SPECIAL}`],
  [
    "server",
    "--media MEDIA --tls-cert /proc/self/environ --tls-key /proc/self/environ",
    `"/proc/self/environ": ${SPECIAL}`,
  ],
];

linuxTest(
  "stream-server and stream-client pass no advice of Deno about permissions on",
  async () => {
    await media.make("still.png", [...pictures(), "-frames:v", "1"]);
    await using server = await testServer({ media: media.path });
    for (const [name, line, reason] of REFUSED) {
      const where = name === "client" ? at(server) : ["--port", "0"];
      const args = line.split(" ").map((arg) => arg === "MEDIA" ? media.path : arg);
      const { code, stdout, stderr } = await runPermitted(name, [...args, ...where]);
      assertEquals([code, stdout], [1, ""], stderr);
      assertMatch(stderr, /^Cannot (read|write|serve|use) [^\n]+\n$/);
      assert(stderr.includes(reason), stderr);
      assert(!/--allow|Requires/.test(stderr), stderr);
    }
  },
);

linuxTest("stream-server says which variable keeps it from starting FFmpeg", async () => {
  const env = { LD_LIBRARY_PATH: "/nowhere" };
  const { code, stderr } = await runPermitted("server", ["--media", media.path], env);
  assertEquals([code, stderr], [
    1,
    "Cannot run ffmpeg: LD_LIBRARY_PATH is set, which this program may not pass on, expected it " +
    "unset, as by env -u LD_LIBRARY_PATH\n",
  ]);
});

/** The dissector of docs/wireshark over what is malformed, damaged or not whole. */
import { assertEquals, assertMatch } from "@std/assert";
import { encodeMessage } from "../../lib/protocol/native/framing.ts";
import { concat, latin1, seeded } from "../support/media/bytes.ts";
import { type CapturedConnection, says } from "../support/media/pcap.ts";
import { requestMessage } from "../support/peers/native_client.ts";
import { describe, frame, message } from "../support/peers/scripted_server.ts";
import { dissect, linesOf, tshark, valuesOf } from "../support/programs/tshark.ts";
import { testWith } from "../support/test_if.ts";

const wireshark = testWith("tshark");

const PORT = 7777;

/** Connections that {@linkcode seeded} damages. */
const DAMAGED = 300;

/** A request that is whole, and its line. */
const GOOD = requestMessage({ command: "list_media" }), FINE = "request list_media";

/** A connection on which only the client speaks. */
function sent(...parts: Uint8Array[]): CapturedConnection {
  return { said: [says("client", ...parts)], port: PORT, cuts: [60_000] };
}

/** A frame of four bytes, by its flags and each byte of its timestamp. */
function shortFrame({ flags = 0, time = 0 }: { flags?: number; time?: number }): Uint8Array {
  const bytes = message(3, "1234");
  bytes[5] = flags;
  return bytes.fill(time, 8, 16);
}

wireshark("what is malformed is shown as that, and harms nothing behind it", async () => {
  const cases: [CapturedConnection, lines: string[], expert: RegExp][] = [
    [sent(GOOD, message(77, "{}")), [FINE, "malformed: kind 77, expected 1 to 11"], /kind 77/],
    [
      sent(GOOD, message(4, "{}", { length: 11 })),
      [FINE, "malformed: length 11 of kind end, expected 12 to 65548"],
      /length 11/,
    ],
    [
      sent(GOOD, message(2, "{}", { length: 2 ** 28 })),
      [FINE, "malformed: length 268435456 of kind describe, expected 12 to 16777228"],
      /length 268435456/,
    ],
    [
      sent(shortFrame({ flags: 8 })),
      ["malformed: length 16 of kind frame, expected 20 to 268435456"],
      /length 16/,
    ],
    [
      sent(shortFrame({ time: 0x7f })),
      ["frame stream 0, timestamp 9.187201950435738e+18, 4 bytes"],
      /past 2\^53/,
    ],
    [
      sent(...['{"command":', "", "[1]", '{"a":nan}', '{"a":['.repeat(5000)].map(request), GOOD),
      [...Array(5).fill("request without a JSON object"), FINE],
      /No JSON object/,
    ],
    [
      sent(message(3, ""), message(8, ""), message(2, '{"streams":[1,{"id":null},{"id":9e999}]}')),
      ["frame stream 0, timestamp 0, 0 bytes", "ping", "describe 3 streams"],
      /^$/,
    ],
    [sent(latin1("get_lost!")), ["script get_lost!"], /get_image or get_video/],
    [
      {
        ...{ port: PORT, cuts: [60_000] },
        said: [says("client", latin1("get_image")), says("server", latin1("\xff\xff\xff\xff"))],
      },
      ["script get_image", "malformed: length -1 of a pickle, expected 0 to 2^28"],
      /length -1/,
    ],
  ];
  const connections = [...cases.map(([connection]) => connection), sent(GOOD)];
  const packets = await dissect(connections, { fields: ["_ws.expert"] });
  for (const [index, [, lines, expert]] of cases.entries()) {
    assertEquals(linesOf(packets, index), lines);
    const mine = packets.filter(({ connection }) => connection === index);
    assertMatch(mine.flatMap(({ fields }) => fields["_ws.expert"]).join(), expert);
  }
  assertEquals(linesOf(packets, cases.length), [FINE]);
});

wireshark("damage at random is no error of the dissector", async () => {
  const random = seeded(17);
  const below = (limit: number) => Math.floor(random() * limit);
  const other = [message(10, '{"code":"x"}'), message(8, "x"), frame(2)];
  const responses = [
    { request: GOOD, response: concat(describe(), frame(1), ...other) },
    { request: latin1("get_image"), response: latin1("\x03\0\0\0abc\x08\0\0\0\x80\x04C\x03end.") },
  ];
  const connections = Array.from({ length: DAMAGED }, (_, index): CapturedConnection => {
    const { request, response } = responses[index % responses.length];
    const damaged = response.slice();
    for (let count = 1 + below(8); count > 0; count--) {
      damaged[below(damaged.byteLength)] = below(256);
    }
    const said = [says("client", request), says("server", damaged)];
    return { said, port: PORT, cuts: [1 + below(1000)] };
  });
  const printed = await tshark(connections, ["-V"]);
  assertEquals(printed.match(/Lua Error.*|Malformed Packet.*/g), null);
  for (const line of [FINE, "script get_image"]) {
    const shown = printed.match(new RegExp(`^Stream Protocol, ${line}$`, "gm"));
    assertEquals(shown?.length, DAMAGED / responses.length);
  }
});

wireshark("without reassembly, headers are shown and the rest is a continuation", async () => {
  const said = [says("server", describe(), frame(1), frame(2))];
  const whole = describe().byteLength;
  const connections = [
    { said, port: PORT, cuts: [whole + 100, 100] },
    { said, port: PORT, cuts: [whole - 1, 1] },
  ];
  const args = ["-o", "tcp.desegment_tcp_streams:FALSE"];
  const packets = await dissect(connections, { args, fields: ["_ws.expert"] });
  const lines = linesOf(packets);
  assertEquals(lines.slice(0, 2), [
    "describe 1 stream",
    "frame stream 0, 40 ms, keyframe, 256 bytes",
  ]);
  assertEquals(new Set(lines.slice(2)), new Set(["continuation"]));
  assertEquals(linesOf(packets, 1)[0], "describe, not captured to its end");
  assertEquals(packets.flatMap(({ fields }) => fields["_ws.expert"]), []);
});

wireshark("other protocols stay with their dissectors", async () => {
  const http = latin1("GET /metrics HTTP/1.1\r\nHost: example.org\r\n\r\n");
  const unlike = [
    encodeMessage("ping", latin1("12345678")),
    message(1, "not JSON"),
    new Uint8Array(64),
    http,
  ];
  const connections = unlike.map((bytes) => ({ ...sent(bytes), port: 9000 }));
  const hello = says("client", latin1("\x16\x03\x01\0\x04\x01\0\0\0"));
  const alert = says("server", latin1("\x15\x03\x03\0\x02\x02\x28"));
  const refused = { said: [hello, alert], port: PORT, cuts: [3] };
  assertEquals(await dissect([...connections, refused]), []);
  const records = "tls.record.content_type";
  const inTls = await dissect([refused], { filter: "tls", fields: [records] });
  assertEquals(valuesOf(inTls, records), ["22", "21"]);
  const told = await dissect(connections.slice(0, 1), { args: ["-d", "tcp.port==9000,stream"] });
  assertEquals(linesOf(told), ["ping"]);
});

function request(payload: string): Uint8Array {
  return message(1, payload);
}

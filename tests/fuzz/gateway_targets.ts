/** Input of the web service: queries, requests, messages of a socket. */
import { Access } from "../../lib/web/access.ts";
import { FrameParser, MAX_PAYLOAD } from "../../lib/server/http/frames.ts";
import { parseImageQuery, parsePlayQuery } from "../../lib/web/api.ts";
import { PlayBody } from "../../lib/web/play.ts";
import { PlaySocket } from "../../lib/web/play_socket.ts";
import { parseDescription } from "../../lib/protocol/native/response.ts";
import { encodeJson } from "../../lib/protocol/native/json.ts";
import { DESCRIPTIONS } from "./message_targets.ts";
import { mutateBytes } from "./mutate_bytes.ts";
import { mutateJson } from "./mutate_json.ts";
import { checkAtMost, checkSame, outcomeOf, readOrRefuse } from "./properties.ts";
import type { Target } from "./target.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const QUERIES = [
  "name=a%20b/%C3%BC.mp4&start=12.5&can=h264,aac,opus&keep=0&sound=0",
  "name=&start=&can=",
  "start=1e8&can=vp9,av1,hevc,mp3,flac,vorbis&keep=1&sound=1&name=%00",
  "start=-0&start=Infinity&name=" + "x".repeat(1024),
];

const queryTarget: Target = {
  name: "parsePlayQuery()",
  corpus: QUERIES.map((query) => encoder.encode(query)),
  mutate: mutateBytes,
  check(input) {
    const params = new URLSearchParams(decoder.decode(input));
    const play = readOrRefuse(() => parsePlayQuery(params));
    const picture = readOrRefuse(() => parseImageQuery(params));
    checkSame("what both take", String(play === undefined), String(picture === undefined));
    if (play === undefined) return "refused";
    if (!(play.start >= 0 && play.start <= 1e8)) throw new Error(`began at ${play.start}`);
    checkAtMost("characters of a name", [...play.name ?? ""].length, 1024);
    return "taken";
  },
};

const TOKEN = "0123456789abcdef";
const ADDRESS = { hostname: "192.0.2.1", port: 8080 };

/** Requests of HTTP: a line, then headers. */
const VISITS = [
  `GET /?token=${TOKEN}\nhost: 192.0.2.1:8080\nsec-fetch-site: cross-site\nsec-fetch-dest: document`,
  `GET /api/play?name=x\nhost: 192.0.2.1:8080\ncookie: a=b; stream_8080=${TOKEN}\n` +
  "origin: http://192.0.2.1:8080\nsec-fetch-site: same-origin",
  `POST /api/list\nhost: localhost:8080\ncookie: stream_8080=${TOKEN}x`,
  "HEAD /page.js\nhost: [::1]:8080\ncookie: stream_8080=; stream_80=\norigin: null",
  "GET /\nhost: evil.example\nsec-fetch-site: none",
];

const accessTarget: Target = {
  name: "Access.judge()",
  corpus: VISITS.map((visit) => encoder.encode(visit)),
  mutate: mutateBytes,
  check(input) {
    const text = decoder.decode(input);
    const [first, ...rest] = text.split("\n");
    const [method, target = "/"] = first.split(" ");
    const url = URL.parse(target, "http://192.0.2.1:8080");
    if (url === null) return "refused";
    const headers = new Map(rest.map((line) => {
      const [name, ...value] = line.split(": ");
      return [name, value.join(": ")];
    }));
    const visit = { method, url, header: (name: string) => headers.get(name) ?? null };
    const open = new Access(ADDRESS, undefined).judge(visit);
    const guarded = new Access(ADDRESS, TOKEN).judge(visit);
    if (guarded.kind !== "refused") {
      if (
        !decodeURIComponent(url.href.replaceAll(/%(?![0-7][0-9a-f])/gi, "")).includes(TOKEN) &&
        !text.includes(TOKEN)
      ) {
        throw new Error("let in without the token");
      }
      checkSame("what is needed beside the token", open.kind, "enter");
      const origin = visit.header("origin");
      if (origin !== null && origin !== `http://${visit.header("host")}`) {
        throw new Error(`let in the page of ${origin}`);
      }
    }
    return guarded.kind === "refused" ? "refused" : "taken";
  },
};

/** Largest number of bytes that the page has not consumed. */
const WINDOW = 2 << 20;

/** Bytes of a play. */
const PLAYED = 5 << 20;

/** The part of a WebSocket that a play needs. */
class FakeSocket extends EventTarget {
  readyState: number = WebSocket.OPEN;
  /** Bytes of the MP4 that were sent. */
  sent = 0;

  send(data: string | Uint8Array): void {
    if (typeof data !== "string") this.sent += data.byteLength;
  }

  close(): void {
    this.readyState = WebSocket.CLOSED;
    this.dispatchEvent(new Event("close"));
  }
}

/** Lets pending promises settle. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

const socketTarget: Target = {
  name: "PlaySocket",
  corpus: [
    encoder.encode("0\n1000\n2097152\n4194304\n5242880"),
    encoder.encode("5242881\n-1\nNaN\n1e6\n1e6\n0x100000\n 3000000 \n\n"),
    encoder.encode("Infinity\n2097152.5\n9007199254740993\n[1]"),
  ],
  mutate: mutateBytes,
  async check(input) {
    const socket = new FakeSocket();
    const signal = new AbortController().signal;
    const play = new PlaySocket(socket as unknown as WebSocket, { signal });
    const over = play.run(async () => {
      await play.write(new Uint8Array(PLAYED));
      return { frames: 1, dropped: 0, warning: null };
    });
    socket.dispatchEvent(new Event("open"));
    await settle();
    let used = 0;
    for (const word of decoder.decode(input).split("\n")) {
      const number = Number(word);
      if (Number.isInteger(number) && number > used && number <= socket.sent) used = number;
      const data = word.startsWith("[") ? new Uint8Array(4) : word;
      socket.dispatchEvent(new MessageEvent("message", { data }));
      await settle();
      checkAtMost("bytes beyond what the page has used", socket.sent - used, WINDOW);
    }
    const isDone = socket.sent === PLAYED;
    if (socket.readyState === WebSocket.OPEN) socket.dispatchEvent(new Event("close"));
    await over;
    return isDone ? "taken" : "refused";
  },
};

const HEAD = {
  ...{ type: 'video/mp4; codecs="avc1.64001f"', begin: -1, start: 0, duration: 10, live: false },
};

/** Names and notes of a server, in the headers of a response. */
const bodyTarget: Target = {
  name: "PlayBody.response()",
  corpus: DESCRIPTIONS.map(encodeJson),
  mutate: mutateJson,
  async check(input) {
    const text = decoder.decode(input);
    const found = readOrRefuse(() => parseDescription(encoder.encode(text)));
    if (found === undefined) return "refused";
    const { name: title, notes = [] } = found;
    const head = { ...HEAD, title, notes };
    const body = new PlayBody(new AbortController().signal);
    body.begin(head);
    const response = await body.response();
    checkSame("status", String(response.status), "200");
    const said = decodeURIComponent(response.headers.get("X-Title") ?? "");
    checkSame("title", said, title.toWellFormed());
    await response.body?.cancel();
    return outcomeOf(said);
  },
};

/** Frames of WebSockets: a number as text, a ping, a close, a long text. */
const CLIENT_FRAMES = [
  [0x81, 0x83, 1, 2, 3, 4, 48, 50, 52],
  [0x89, 0x80, 0, 0, 0, 0, 0x8a, 0x81, 9, 9, 9, 9, 1],
  [0x88, 0x82, 7, 7, 7, 7, 4, 0xef],
  [0x82, 0xfe, 0, 126, 1, 1, 1, 1, ...Array(126).fill(5)],
];

const framesTarget: Target = {
  name: "FrameParser.take()",
  corpus: CLIENT_FRAMES.map((frame) => Uint8Array.from(frame)),
  mutate: mutateBytes,
  check(input) {
    const whole = readOrRefuse(() => new FrameParser().take(input));
    const split = readOrRefuse(() => {
      const parser = new FrameParser();
      return [...input].flatMap((byte) => parser.take(Uint8Array.of(byte)));
    });
    checkSame("frames of single bytes", JSON.stringify(split), JSON.stringify(whole));
    for (const { payload } of whole ?? []) {
      checkAtMost("bytes of a frame", payload.byteLength, MAX_PAYLOAD);
    }
    return whole === undefined ? "refused" : "taken";
  },
};

/** Targets of the web service. */
export const GATEWAY_TARGETS: readonly Target[] = [
  ...[queryTarget, accessTarget, socketTarget, bodyTarget, framesTarget],
];

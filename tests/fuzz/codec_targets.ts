/** Configurations and first packets of streams in files. */
import { describeAudio } from "../../lib/containers/codecs/audio.ts";
import { describeVideo } from "../../lib/containers/codecs/video.ts";
import { CODED_AUDIO, CODED_VIDEO, packetOf, trackOf } from "../support/media/coded_streams.ts";
import { concat } from "../support/media/bytes.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { checkSame, outcomeOf } from "./properties.ts";
import type { Target } from "./target.ts";

const STREAMS = [...CODED_VIDEO, ...CODED_AUDIO];

/** The number of the stream, the length of its configuration, the configuration, and the packet. */
const HEAD = 3;

/** As FFmpeg describes streams, in JSON. */
const VIDEO =
  /^\{"width":[1-9]\d{0,4},"height":[1-9]\d{0,4},"pixelFormat":"\w+","colorRange":"(tv|pc|-)","colorSpace":"[\w-]+","decodeDelay":\d{1,2}\}$/;
const AUDIO = /^\{"sampleRate":[1-9]\d*,"channels":[1-9]\d?,"sampleFormat":"\w+"\}$/;

const CORPUS = STREAMS.map((stream, at) => {
  const { extradata } = trackOf(stream);
  const { byteLength } = extradata;
  return concat(Uint8Array.of(at, byteLength >> 8, byteLength), extradata, packetOf(stream));
});

/** Changes bytes behind the head, and seldom the head. */
const mutateStream: Mutator = (input, others, random) => {
  if (random.once(16)) return mutateBytes(input, others, random);
  return concat(input.subarray(0, HEAD), mutateBytes(input.subarray(HEAD), others, random));
};

function describe(input: Uint8Array): string | undefined {
  const [at = 0, high = 0, low = 0] = input;
  const body = input.subarray(HEAD);
  const length = Math.min(high * 256 + low, body.byteLength);
  const stream = STREAMS[at % STREAMS.length];
  const track = { ...trackOf(stream), extradata: body.subarray(0, length) };
  const packet = body.subarray(length);
  if (track.type === "audio") {
    const facts = describeAudio(track, packet);
    return facts && checked(JSON.stringify(facts), AUDIO);
  }
  const facts = describeVideo(track, packet);
  if (facts === undefined) return undefined;
  const { width, height, pixelFormat, colorRange = "-", colorSpace = "-", decodeDelay } = facts;
  const reported = { width, height, pixelFormat, colorRange, colorSpace, decodeDelay };
  return checked(JSON.stringify(reported), VIDEO);
}

function checked(facts: string, pattern: RegExp): string {
  if (pattern.test(facts)) return facts;
  throw new Error(`described a stream as ${facts}`);
}

/** What the headers of codecs say. */
export const CODEC_TARGETS: readonly Target[] = [{
  name: "describeVideo() and describeAudio()",
  corpus: CORPUS,
  mutate: mutateStream,
  check(input) {
    const before = input.slice();
    const facts = describe(input);
    checkSame("input", input.toHex(), before.toHex());
    checkSame("facts of the same bytes", String(describe(input)), String(facts));
    return outcomeOf(facts);
  },
}];

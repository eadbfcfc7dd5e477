import { assertEquals } from "@std/assert";
import { describeAudio } from "../../../lib/containers/codecs/audio.ts";
import { CODED_AUDIO, packetOf, trackOf } from "../../support/media/coded_streams.ts";
import { pureTest } from "../../support/pure_test.ts";

for (const stream of CODED_AUDIO) {
  pureTest(`describeAudio() reports what ffprobe does of ${stream.name}`, () => {
    assertEquals(describeAudio(trackOf(stream), packetOf(stream)), stream.expected);
  });
}

pureTest("describeAudio() gives nothing, and does not fail, if bytes are missing", () => {
  for (const stream of CODED_AUDIO) {
    const track = trackOf(stream);
    const packet = packetOf(stream);
    for (let length = 0; length <= track.extradata.byteLength; length++) {
      const cut = { ...track, extradata: track.extradata.subarray(0, length) };
      const facts = describeAudio(cut, packet);
      if (facts !== undefined) assertEquals(facts, stream.expected, `${stream.name}, ${length}`);
    }
    for (let length = 0; length < packet.byteLength; length++) {
      const facts = describeAudio(track, packet.subarray(0, length));
      if (facts !== undefined) assertEquals(facts, stream.expected, `${stream.name}, ${length}`);
    }
  }
});

pureTest("describeAudio() leaves rates to FFmpeg that contradict those of the container", () => {
  for (const name of ["mp3", "ac3", "alac"]) {
    const stream = CODED_AUDIO.find((each) => each.name === name)!;
    const other = { ...trackOf(stream), sampleRate: 8000 };
    assertEquals(describeAudio(other, packetOf(stream)), undefined, name);
  }
});

pureTest("describeAudio() knows PCM by its name", () => {
  const formats = Object.entries({
    ...{ pcm_s16le: "s16", pcm_s24be: "s32", pcm_f64le: "dbl", pcm_u8: "u8", pcm_alaw: "s16" },
    ...{ pcm_bluray: undefined, wavpack: undefined, constructor: undefined },
  });
  for (const [codec, sampleFormat] of formats) {
    const track = { ...trackOf(CODED_AUDIO[0]), codec, extradata: new Uint8Array(0) };
    assertEquals(describeAudio(track, new Uint8Array(4))?.sampleFormat, sampleFormat, codec);
  }
});

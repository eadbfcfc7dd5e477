import { assertEquals } from "@std/assert";
import { describeAac } from "../../../lib/containers/codecs/aac.ts";
import type { PacketTrack } from "../../../lib/containers/packet_file.ts";
import { pureTest } from "../../support/pure_test.ts";

/** Begins with a single channel, with a pair of channels. */
const MONO = Uint8Array.of(0b000_0000_0, 0);
const STEREO = Uint8Array.of(0b001_0000_0, 0);

/** The facts of a configuration, given in bits. */
function described(configuration: string, frame: Uint8Array): unknown {
  const bytes = configuration.replaceAll(" ", "").match(/.{1,8}/g) ?? [];
  const extradata = Uint8Array.from(bytes, (bits) => parseInt(bits.padEnd(8, "0"), 2));
  const place = { index: 0, number: 0, timeBase: [1, 1] } as const;
  const track: PacketTrack = { ...place, type: "audio", codec: "aac", extradata };
  const facts = describeAac(track, frame);
  return facts && [facts.sampleRate, facts.channels, facts.sampleFormat];
}

pureTest("describeAac() reads configurations without SBR", () => {
  assertEquals(described("00010 0011 0001 000", MONO), [48_000, 1, "fltp"]);
  assertEquals(described("00010 0100 0010 000", STEREO), [44_100, 2, "fltp"]);
  const rate = (30_000).toString(2).padStart(24, "0");
  assertEquals(described(`00010 1111 ${rate} 0010 000`, STEREO), [30_000, 2, "fltp"]);
});

pureTest("describeAac() leaves rates to FFmpeg at which SBR may come unannounced", () => {
  assertEquals(described("00010 0110 0010 000", STEREO), undefined);
  // Announced that there is none.
  const none = "01010110111 00101 0";
  assertEquals(described(`00010 0110 0010 000 ${none}`, STEREO), [24_000, 2, "fltp"]);
  const some = "01010110111 00101 1 0011";
  assertEquals(described(`00010 0110 0010 000 ${some}`, STEREO), undefined);
});

pureTest("describeAac() gives the rate and the channels after SBR and parametric stereo", () => {
  assertEquals(described("00101 0110 0010 0011 00010 000", STEREO), [48_000, 2, "fltp"]);
  assertEquals(described("11101 0110 0001 0011 00010 000", MONO), [48_000, 2, "fltp"]);
  // Mono may become stereo.
  assertEquals(described("00101 0110 0001 0011 00010 000", MONO), undefined);
});

pureTest("describeAac() leaves frames to FFmpeg that contradict the configuration", () => {
  assertEquals(described("00010 0011 0001 000", STEREO), undefined);
  assertEquals(described("00010 0011 0010 000", MONO), undefined);
  // A fill element of one byte before, without SBR and with it.
  const filled = (kind: number) => Uint8Array.of(0b110_0001_0 | kind >> 3, kind << 5, 0b0_001_0000);
  assertEquals(described("00010 0011 0010 000", filled(0)), undefined);
  const [fill, sbr] = ["0000", "1101"].map((kind) => {
    const bits = `110 0001 ${kind}0000 001 0000`.replaceAll(" ", "").padEnd(24, "0");
    return Uint8Array.from(bits.match(/.{8}/g)!, (byte) => parseInt(byte, 2));
  });
  assertEquals(described("00010 0011 0010 000", fill), [48_000, 2, "fltp"]);
  assertEquals(described("00010 0011 0010 000", sbr), undefined);
});

pureTest("describeAac() leaves other profiles and layouts to FFmpeg", () => {
  // Main profile, a layout of its own, frames of 960 samples.
  assertEquals(described("00001 0011 0010 000", STEREO), undefined);
  assertEquals(described("00010 0011 0000 000", STEREO), undefined);
  assertEquals(described("00010 0011 0010 100", STEREO), undefined);
});

import { assertEquals } from "@std/assert";
import { optionsOf, usualOf } from "../../../../lib/web/page/player/settings.js";
import { pureTest } from "../../../support/pure_test.ts";

const AUDIO = { type: "audio", codec: "aac" } as const;

pureTest("optionsOf() of the page names tracks by language, title and channels", () => {
  const tracks = [
    { ...AUDIO, language: "eng", channels: 6 },
    { ...AUDIO, language: "deu", title: "Commentary", channels: 2 },
    { ...AUDIO, language: "fra", title: "French" },
    { ...AUDIO, language: "und", channels: 2 },
    { ...AUDIO, language: "und", channels: 2 },
    { ...AUDIO, language: "no language" },
    { ...AUDIO },
  ];
  assertEquals(optionsOf(tracks), [
    ["1", "English · 5.1"],
    ["2", "German · Commentary · stereo"],
    ["3", "French"],
    ["4", "Track 4 · stereo"],
    ["5", "Track 5 · stereo"],
    ["6", "no language"],
    ["7", "Track 7"],
  ]);
});

pureTest("usualOf() of the page is the audio track that FFmpeg chooses", () => {
  assertEquals(usualOf([{ ...AUDIO, channels: 2 }, { ...AUDIO, channels: 6 }]), 2);
  assertEquals(usualOf([{ ...AUDIO, channels: 2 }, { ...AUDIO, channels: 2 }]), 1);
  assertEquals(usualOf([{ ...AUDIO, channels: 6 }, { ...AUDIO, channels: 1, default: true }]), 2);
});

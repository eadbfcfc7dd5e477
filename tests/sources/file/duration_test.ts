import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { probe } from "../../../lib/sources/file/probe.ts";
import { mediaDuration } from "../../../lib/sources/file/formats.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";

const media = mediaFolder();

Deno.test("mediaDuration() subtracts the start in formats that hold the end", () => {
  const whole = { start: 7, duration: 8 };
  assertEquals(mediaDuration("matroska,webm", whole, []), 1);
  assertEquals(mediaDuration("nut", { start: -0.5, duration: 8 }, []), 8.5);
  assertEquals(mediaDuration("mpegts", whole, []), 8);
  const tracks = [{ start: 7, duration: 1 }, { start: 7.5, duration: 0.75 }];
  assertEquals(mediaDuration("mov,mp4,m4a", whole, tracks), 1.25);
});

Deno.test("mediaDuration() takes the duration of the file if there is nothing else", () => {
  assertEquals(mediaDuration("matroska,webm", { start: 7 }, []), undefined);
  assertEquals(mediaDuration("matroska,webm", { duration: 8 }, []), 8);
  assertEquals(mediaDuration("matroska,webm", { start: 7, duration: 1 }, []), 1);
  assertEquals(mediaDuration("mov,mp4", { start: 7, duration: 8 }, [{ start: 7 }]), 8);
});

Deno.test("mediaDuration() is right for real files that begin late", async (t) => {
  for (const extension of ["mkv", "webm", "mp4", "nut", "asf", "ts", "flv"]) {
    await t.step(extension, async () => {
      const codec = { webm: "libvpx", asf: "wmv2", flv: "flv" }[extension] ?? "mpeg4";
      const name = `late.${extension}`;
      await media.make(name, [...pictures(), "-output_ts_offset", "7", "-c:v", codec]);
      const { duration } = await probe(media.pathOf(name), name);
      assert(duration !== undefined);
      assertAlmostEquals(duration, 1, 0.05);
    });
  }
});

import { assert, assertEquals } from "@std/assert";
import { mediaFolder } from "../support/media/media_folder.ts";
import { PublishTarget } from "./publish_target.ts";
import { sessionMedia } from "./session_target.ts";
import { fuzz } from "./target.ts";

const media = await sessionMedia(mediaFolder());

Deno.test("PublishSession survives whatever a publisher sends", async () => {
  await using target = await PublishTarget.open(media);
  const { taken, refused } = await fuzz(target, { seed: 7, turns: 50 });
  assertEquals(taken + refused, 50);
  assert(taken > 0 && refused > 0);
  await target.assertWell();
});

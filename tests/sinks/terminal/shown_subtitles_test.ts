/** Subtitles in a terminal, a real one. */
import { makeFilm } from "../../support/media/film.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at } from "../../support/programs/run_inside.ts";
import { Terminal } from "../../support/screens/tmux.ts";
import { testWith } from "../../support/test_if.ts";

const media = mediaFolder();

testWith("tmux")("TerminalSink shows subtitles in the row below the picture", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const args = ["--video", "film.mkv", "--view", "terminal", "--subtitles", "eng", "--loop"];
  await using terminal = await Terminal.start([...args, ...at(server)]);
  // The keys are shown first.
  await terminal.until(/\nHow are {2}you\?$/);
  await terminal.press("q");
  await terminal.over();
});

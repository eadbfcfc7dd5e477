import { assertThrows } from "@std/assert";
import { FileTree } from "../../../../lib/sources/file/listing/file_tree.ts";
import { mediaFolder } from "../../../support/media/media_folder.ts";

const media = mediaFolder();

Deno.test("FileTree refuses a folder that may not be read at once", async () => {
  const folder = await media.folder("locked");
  const { readDirSync } = Deno;
  Deno.readDirSync = () => {
    throw new Deno.errors.PermissionDenied("Permission denied");
  };
  try {
    const message = `Cannot serve "${folder}": it is not readable, name one with --media`;
    assertThrows(() => new FileTree(folder, "--media"), Error, message);
  } finally {
    Deno.readDirSync = readDirSync;
  }
});

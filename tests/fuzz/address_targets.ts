/** Addresses of the web, as programs ask for them. */
import { dispositionOf, mediaTypeOf } from "../../lib/web/addresses/media_types.ts";
import { parsePath } from "../../lib/web/addresses/paths.ts";
import { parseQuery } from "../../lib/web/addresses/queries.ts";
import { parseRange } from "../../lib/web/addresses/ranges.ts";
import { latin1 } from "../support/media/bytes.ts";
import { mutateBytes } from "./mutate_bytes.ts";
import { outcomeOf, readOrRefuse } from "./properties.ts";
import type { Target } from "./target.ts";

/** Bytes of the file that ranges are of. */
const SIZE = 1000;

/** What may stand in a header: printable ASCII. */
const HEADER = /^[\x20-\x7e]+$/;

/** Path and query, and a range in the next line. */
const REQUESTS = [
  "/snapshot/trips/sea.mkv.jpg?width=640&quality=50&start=1.5\nbytes=0-99",
  "/stream/cam.mjpg?fps=5&loop=1&height=48\nbytes=-1",
  "/hls/m%C3%BCnchen/index.m3u8?audio=0&bitrate=100000\nbytes=5-",
  "/media/a%2Fb%22.mp4?download\nbytes=1-2,3-4",
];

/** The path, the query and the range of a request for media. */
export const ADDRESS_TARGET: Target = {
  name: "addresses of the web",
  corpus: REQUESTS.map(latin1),
  mutate: mutateBytes,
  check(input) {
    const [address, range = null] = String.fromCharCode(...input).split("\n");
    checkRange(range);
    const url = URL.parse(address, "http://localhost");
    const path = url === null ? undefined : readOrRefuse(() => parsePath(url.pathname));
    if (url === null || path === undefined) return "refused";
    const headers = [mediaTypeOf(path.name), dispositionOf(path.name, "attachment")];
    const wrong = headers.find((header) => !HEADER.test(header));
    if (wrong !== undefined) throw new Error(`A header would be ${JSON.stringify(wrong)}`);
    const kind = path.kind === "media" ? "snapshot" : path.kind;
    return outcomeOf(readOrRefuse(() => parseQuery(kind, path.name, url.searchParams)));
  },
};

/** @throws {Error} if a range is not within the file */
function checkRange(header: string | null): void {
  const range = parseRange(header, SIZE);
  if (range === undefined || range === null) return;
  const { start, end } = range;
  if (
    Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end && end <= SIZE
  ) {
    return;
  }
  throw new Error(`Cannot read ${start} to ${end} of ${SIZE} bytes: ${header}`);
}

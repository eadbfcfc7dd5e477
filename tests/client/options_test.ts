import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import type { ClientFlags } from "../../lib/client/flags.ts";
import { parseClientFlags } from "../../lib/client/options.ts";
import { statusOf } from "../../lib/client/run.ts";
import type { MediaRequest } from "../../lib/protocol/native/request.ts";
import { pureTest } from "../support/pure_test.ts";

function parse(line: string) {
  return parseClientFlags(line === "" ? [] : line.split(" "));
}

/** The fields of the request that are set; all for videos can take further descriptions. */
function requestOf(line: string): Partial<MediaRequest> {
  const action = parse(line);
  assert(action.kind === "media", `"${line}" asks for no media`);
  const { redescribe, ...request } = action.request;
  assertEquals(redescribe, request.command === "get_video" ? true : undefined);
  return Object.fromEntries(Object.entries(request).filter(isCompared));
}

/** `picture_options_test.ts` is about metadata. */
function isCompared([field, value]: [string, unknown]): boolean {
  return value !== undefined && field !== "metadata";
}

const REQUESTS: Record<string, Partial<MediaRequest>> = {
  "--image": { command: "get_image", speed: 1 },
  "--image a.png": { command: "get_image", name: "a.png", speed: 1 },
  "--image=a.png": { command: "get_image", name: "a.png", speed: 1 },
  "--video": { command: "get_video", speed: 1, late: "drop" },
  "--video sub/c.mp4": { command: "get_video", name: "sub/c.mp4", speed: 1, late: "drop" },
  "--video --output x.mp4": { command: "get_video", data: true, speed: 0 },
  "--video --output -": { command: "get_video", speed: 0 },
  "--video --output x.mp4 --view none": { command: "get_video", data: true, speed: 1 },
  "--video --output x.mp4 --speed 1": { command: "get_video", data: true, speed: 1 },
  "--video --view none --speed max": { command: "get_video", speed: 0 },
  "--video --speed 0.5": { command: "get_video", speed: 0.5, late: "drop" },
  "--video --speed 0.25": { command: "get_video", speed: 0.25, late: "drop" },
  "--video --speed 8": { command: "get_video", speed: 8, late: "drop" },
  "--video --output rtmp://host/app/key": { command: "get_video", speed: 1, late: "drop" },
  "--video --output srt://host:9 --speed max": { command: "get_video", speed: 0 },
  "--video --output udp://host:9 --late wait": { command: "get_video", speed: 1, late: "wait" },
  "--video --output site/": { command: "get_video", data: true, speed: 0 },
  "--video --output sftp://host/x.mp4": { command: "get_video", speed: 0 },
  "--video --output a%05d.png": { command: "get_video", speed: 0 },
  "--video --output x.mkv --codec ffv1,flac": { command: "get_video", data: true, speed: 0 },
  "--video --output x.mkv -- -crf 20": { command: "get_video", data: true, speed: 0 },
  "--video --loop --output x.mp4": { command: "get_video", data: true, speed: 1, loop: true },
  "--video cam --data -": { command: "get_video", name: "cam", speed: 1, data: "only" },
  "--video cam --data x.jsonl --view none": {
    command: "get_video",
    name: "cam",
    speed: 1,
    data: true,
  },
  "--video cam --data - --view browser": {
    command: "get_video",
    name: "cam",
    speed: 1,
    data: "only",
  },
  "--video cam --data - --output x.mkv": {
    command: "get_video",
    name: "cam",
    speed: 0,
    data: true,
  },
  "--video --no-audio": { command: "get_video", audio: false, speed: 1, late: "drop" },
  "--video --start 1.5 --duration 2": {
    command: "get_video",
    start: 1.5,
    duration: 2,
    speed: 1,
    late: "drop",
  },
  "--video --start 0": { command: "get_video", start: 0, speed: 1, late: "drop" },
  "--video --pixel-format bgr24": {
    command: "get_video",
    pixelFormat: "bgr24",
    speed: 1,
    late: "drop",
  },
  "--video --size 64x48": { command: "get_video", width: 64, height: 48, speed: 1, late: "drop" },
  "--video --size 64X48": { command: "get_video", width: 64, height: 48, speed: 1, late: "drop" },
  "--video --size 64x": { command: "get_video", width: 64, speed: 1, late: "drop" },
  "--video --size x48": { command: "get_video", height: 48, speed: 1, late: "drop" },
  "--video --view window": { command: "get_video", speed: 1, late: "drop" },
  "--video --view none": { command: "get_video", speed: 1 },
  "--video --view window --output x.mp4": { command: "get_video", data: true, speed: 1 },
  "--video --view window --speed max": { command: "get_video", speed: 0 },
  "--video --late wait": { command: "get_video", speed: 1, late: "wait" },
  "--video --view none --late drop": { command: "get_video", speed: 1, late: "drop" },
  "--video --view none --loop": { command: "get_video", speed: 1, loop: true },
  "--video --view none --fps 12.5": { command: "get_video", speed: 1, fps: 12.5 },
  "--video --view none --encoding copy": { command: "get_video", speed: 1, encoding: "copy" },
  "--video --view none --encoding h264 --bitrate 2M": {
    ...{ command: "get_video", speed: 1, encoding: "h264" },
    bitrate: 2_000_000,
  },
  "--video --view none --encoding h264 --bitrate 800k --size 64x": {
    ...{ command: "get_video", speed: 1, encoding: "h264", width: 64 },
    bitrate: 800_000,
  },
  "--video --view none --encoding h264 --bitrate 123456": {
    ...{ command: "get_video", speed: 1, encoding: "h264" },
    bitrate: 123_456,
  },
  "--video --view none --encoding mjpeg --quality 90": {
    ...{ command: "get_video", speed: 1, encoding: "mjpeg" },
    quality: 90,
  },
  "--image x.mp4 --every 0.5 --view none": {
    ...{ command: "get_image", name: "x.mp4", speed: 1 },
    every: 0.5,
  },
  "--image x.mp4 --every 2 --output a%03d.png": {
    ...{ command: "get_image", name: "x.mp4", speed: 0 },
    every: 2,
  },
  "--image x.jpg --encoding copy --output y.jpg": {
    ...{ command: "get_image", name: "x.jpg", speed: 0 },
    encoding: "copy",
  },
  "--video --start 1:30 --duration 1:02:03.5": {
    ...{ command: "get_video", start: 90, duration: 3723.5, speed: 1, late: "drop" },
  },
  "--image x.mp4 --every 1:00 --view none": {
    ...{ command: "get_image", name: "x.mp4", speed: 1 },
    every: 60,
  },
  "x.mp4 --every 10 --view none": {
    ...{ command: "get_image", name: "x.mp4", speed: 1 },
    every: 10,
  },
  "--classic --video": { command: "get_video", speed: 1, late: "drop" },
  "--classic --video --data -": { command: "get_video", speed: 1, data: "only" },
};

for (const [line, request] of Object.entries(REQUESTS)) {
  pureTest(
    `parseClientFlags() turns "${line}" into its request`,
    () => assertEquals(requestOf(line), request),
  );
}

/** Command lines and values of their flags. */
const VALUES: Record<string, Partial<ClientFlags>> = {
  "--list": { host: "localhost", port: 7777, json: false, overwrite: false, classic: false },
  "--list --host robot --port 9000 --json": { host: "robot", port: 9000, json: true },
  "--video --view window --output o.mkv --overwrite": {
    view: "window",
    output: "o.mkv",
    overwrite: true,
  },
  "--video --view terminal": { view: "terminal", output: undefined },
  "--classic --image": { classic: true, image: "" },
};

for (const [line, values] of Object.entries(VALUES)) {
  pureTest(`parseClientFlags() reads "${line}"`, () => {
    const action = parse(line);
    assert("flags" in action);
    for (const [name, value] of Object.entries(values)) {
      assertEquals(action.flags[name as keyof ClientFlags], value, name);
    }
  });
}

/** Wrong command lines and their error messages. */
const WRONG: Record<string, string> = {
  "--port 0": 'Cannot use --port "0": expected a whole number from 1 to 65535',
  "--port 65536": 'Cannot use --port "65536": expected a whole number from 1 to 65535',
  "--port 80.5": 'Cannot use --port "80.5": expected a whole number from 1 to 65535',
  "--port http": 'Cannot use --port "http": expected a whole number from 1 to 65535',
  "--port": "Cannot use --port: expected PORT after it",
  "--retries -1": 'Cannot use --retries "-1": expected a whole number from 0 to 1000000',
  "--retries 1.5": 'Cannot use --retries "1.5": expected a whole number from 0 to 1000000',
  "--host --list": "Cannot use --host: expected HOST[:PORT] after it",
  "--host= --list": "Cannot use --host: expected HOST[:PORT] after it",
  "--video --view tv": 'Cannot use --view "tv": expected window, terminal, browser, none',
  "--video --view": "Cannot use --view: expected window|terminal|browser|none after it",
  "--video --output": "Cannot use --output: expected FILE|URL|- after it",
  "--video --size 64": 'Cannot use --size "64": expected WIDTHxHEIGHT in pixels',
  "--video --size x": 'Cannot use --size "x": expected WIDTHxHEIGHT in pixels',
  "--video --size 0x48": 'Cannot use --size "0": expected a whole number from 1 to 16384',
  "--video --size 64x99999": 'Cannot use --size "99999": expected a whole number from 1 to 16384',
  "--video --size -4x4": 'Cannot use --size "-4x4": expected WIDTHxHEIGHT in pixels',
  "--video --speed fast": 'Cannot use --speed "fast": expected a number from 0.25 to 8, or max',
  "--video --speed 100": 'Cannot use --speed "100": expected a number from 0.25 to 8, or max',
  "--video --speed 0": 'Cannot use --speed "0": expected a number from 0.25 to 8, or max',
  "--video --speed 8.1": 'Cannot use --speed "8.1": expected a number from 0.25 to 8, or max',
  "--video --start -1":
    'Cannot use --start "-1": expected seconds from 0 to 100000000, or a time such as 1:30 or ' +
    "1:02:03.5",
  "--video --start soon":
    'Cannot use --start "soon": expected seconds from 0 to 100000000, or a time such as 1:30 or ' +
    "1:02:03.5",
  "--video --start 1:60":
    'Cannot use --start "1:60": expected seconds from 0 to 100000000, or a time such as 1:30 or ' +
    "1:02:03.5",
  "--video --duration 0":
    'Cannot use --duration "0": expected seconds from 0.001 to 100000000, or a time such as 1:30 ' +
    "or 1:02:03.5",
  "--video --duration 1e3":
    'Cannot use --duration "1e3": expected seconds from 0.001 to 100000000, or a time such as ' +
    "1:30 or 1:02:03.5",
  "--image --video": "Cannot do several things at once: expected one of --image --video --list",
  "--image a.png --list":
    "Cannot do several things at once: expected one of --image --video --list",
  "--output x.mp4": "Cannot tell what to get: expected --image, --video or --list",
  "--json": "Cannot tell what to get: expected --image, --video or --list",
  "--speed fast": 'Cannot use --speed "fast": expected a number from 0.25 to 8, or max',
  "--list --size 3x3": "Cannot use --size with --list: it is for --image and --video",
  "--list --overwrite": "Cannot use --overwrite with --list: it is for --image and --video",
  "--video --json --view terminal": "Cannot use --json with --view terminal: both write to stdout",
  "a.mp4 --size 64": 'Cannot use --size "64": expected WIDTHxHEIGHT in pixels',
  "a.mp4 --fps 5 --every 5": "Cannot use --fps with --image: it is for --video",
  "--list --output x.txt": "Cannot use --output with --list: it is for --image and --video",
  "--video --output - --json": "Cannot use --json with --output -: both write to stdout",
  "--video --output - --view terminal":
    "Cannot use --view terminal with --output -: both write to stdout",
  "--image --data -": "Cannot use --data with --image: an image has none",
  "--list --data -": "Cannot use --data with --list: it is for --image and --video",
  "--data -": "Cannot tell what to get: expected --image, --video or --list",
  "--video --data": "Cannot use --data: expected FILE|- after it",
  "--video --data - --output -": "Cannot use --data - with --output -: both write to stdout",
  "--video --data - --json": "Cannot use --data - with --json: both write to stdout",
  "--video --data - --view terminal":
    "Cannot use --data - with --view terminal: both write to stdout",
  "--video --data x.mkv --output x.mkv":
    'Cannot use --data x.mkv with --output x.mkv: both write to "x.mkv"',
  "--video --data - --overwrite":
    "Cannot use --overwrite without --output: it says how that is written",
  "--classic --list": "Cannot use --list with --classic: scripts cannot be asked for it",
  "--classic --video --size 64x48":
    "Cannot use --size with --classic: scripts cannot be asked for it",
  "--classic --video --pixel-format gray":
    "Cannot use --pixel-format with --classic: scripts cannot be asked for it",
  "--classic --video --no-audio":
    "Cannot use --no-audio with --classic: scripts cannot be asked for it",
  "--classic --video --start 0":
    "Cannot use --start with --classic: scripts cannot be asked for it",
  "--classic --video --duration 1":
    "Cannot use --duration with --classic: scripts cannot be asked for it",
  "--classic --video --speed max":
    "Cannot use --speed with --classic: scripts cannot be asked for it",
  "--classic --video --encoding raw":
    "Cannot use --encoding with --classic: scripts cannot be asked for it",
  "--classic --video --loop": "Cannot use --loop with --classic: scripts cannot be asked for it",
  "--video --encoding vp9": 'Cannot use --encoding "vp9": expected raw, copy, h264, mjpeg',
  "--video --bitrate 2M": "Cannot use --bitrate alone: expected --encoding h264 with it",
  "--video --encoding copy --bitrate 2M":
    "Cannot use --bitrate alone: expected --encoding h264 with it",
  "--video --encoding h264 --bitrate 9k":
    'Cannot use --bitrate "9k": expected bits a second from 10k to 1000M, such as 800k or 2M',
  "--video --encoding h264 --bitrate 2000M":
    'Cannot use --bitrate "2000M": expected bits a second from 10k to 1000M, such as 800k or 2M',
  "--video --encoding h264 --bitrate fast":
    'Cannot use --bitrate "fast": expected bits a second from 10k to 1000M, such as 800k or 2M',
  "--video --encoding h264 --quality 5":
    "Cannot use --quality alone: expected --encoding mjpeg with it",
  "--video --encoding mjpeg --quality 0":
    'Cannot use --quality "0": expected a whole number from 1 to 100',
  "--video --encoding mjpeg --pixel-format bgr24":
    "Cannot use --pixel-format with --encoding mjpeg: it is for raw frames",
  "--video --encoding copy --pixel-format bgr24":
    "Cannot use --pixel-format with --encoding copy: it is for raw frames",
  "--video --encoding copy --size 64x48":
    "Cannot use --size with --encoding copy: it leaves everything as it is, expected --encoding h264",
  "--video --encoding copy --fps 5":
    "Cannot use --fps with --encoding copy: it leaves everything as it is, expected --encoding h264",
  "--image a.mp4 --encoding copy --every 5":
    "Cannot use --every with --encoding copy: it leaves everything as it is, expected raw or mjpeg",
  "--video --fps 0": 'Cannot use --fps "0": expected a number from 0.01 to 240',
  "--image --loop": "Cannot use --loop with --image: it is for --video",
  "--image --fps 5": "Cannot use --fps with --image: it is for --video",
  "--image --late drop": "Cannot use --late with --image: it is for --video",
  "--image --subtitles": "Cannot use --subtitles with --image: it is for --video",
  "--video --every 5": "Cannot use --every without --image: it asks for a series of pictures",
  "--every 5": "Cannot use --every without --image: it asks for a series of pictures",
  "--image a.mp4 --every 0":
    'Cannot use --every "0": expected seconds from 0.01 to 1000000, or a time such as 1:30 or ' +
    "1:02:03.5",
  "--image a.mp4 --every 5 --output a.png":
    'Cannot write a series of pictures to "a.png": expected a place for the number, as in shot%03d.png',
  "--video --loop --encoding copy --output x.mp4":
    "Cannot record --loop with --encoding copy: its packets cannot follow each other from round " +
    "to round, expected raw or mjpeg",
  "--video --late drop --speed max":
    "Cannot use --late drop with --speed max: nothing is late there",
  "--video --format mkv": "Cannot use --format without --output: it says how that is written",
  "--video --codec ffv1": "Cannot use --codec without --output: it says how that is written",
  "--video --overwrite": "Cannot use --overwrite without --output: it says how that is written",
  "--video -- -crf 20":
    "Cannot use -- and what follows it without --output: it says how that is written",
  "--video --output - --codec libx264":
    "Cannot use --codec with --output - alone, which hands NUT on as it is: expected --format as " +
    "well, such as --format matroska",
  "--video --output - -- -crf 20":
    "Cannot use -- with --output - alone, which hands NUT on as it is: expected --format as well, " +
    "such as --format matroska",
  "--video --output x.mkv --codec a,b,c":
    'Cannot use --codec "a,b,c": expected an encoder of pictures, sound, or both, such as libx265 ' +
    "or libvpx-vp9,libopus or ,flac",
  "--video --output x.mkv --codec ,":
    'Cannot use --codec ",": expected an encoder of pictures, sound, or both, such as libx265 or ' +
    "libvpx-vp9,libopus or ,flac",
  "--video --output x.mkv --codec copy":
    "Cannot use --codec copy with raw frames, which are no packets: expected --encoding copy as well",
  "--image --every 1 --output x%d.png --format png":
    "Cannot use --format with an image sequence: expected its type in the name, such as " +
    "shot%03d.png",
  "--image --output rtmp://host/app/key":
    "Cannot stream a single image: expected --video, or a file",
  "--image --output site/": "Cannot stream a single image: expected --video, or a file",
  "--video --output gopher://host/x":
    'Cannot write to "gopher://host/x": gopher:// is not supported, expected a file or one of rtmp ' +
    "rtmps rtsp srt udp tcp rtp http https icecast ftp sftp",
  "--video --output http://me:secret@host/x?key=hidden":
    'Cannot write to "http://me:***@host/x?***": its name tells no type, expected --format as ' +
    "well, such as mpegts",
  "--video --late never": 'Cannot use --late "never": expected wait, drop',
  "--video --view browser --explain":
    "Cannot use --explain with --view browser: a page has several conversations at once, " +
    "expected --explain of stream-server",
  "--list --loop": "Cannot use --loop with --list: it is for --image and --video",
  "--classic --video clip.mp4":
    'Cannot ask a script for "clip.mp4": with --classic it chooses itself',
  "--classic --image p.png": 'Cannot ask a script for "p.png": with --classic it chooses itself',
  "--vidoe": 'Cannot use "--vidoe": no such flag, did you mean --video?',
  "--xyzzyplugh": 'Cannot use "--xyzzyplugh": no such flag',
  "--json=yes --list": 'Cannot use "--json=yes": --json takes no value',
  "--json false --list": 'Cannot use "false": expected a flag such as --image',
  "--video --loop=false": 'Cannot use "--loop=false": --loop takes no value',
  "--video --loop true": 'Cannot use "true": expected a flag such as --image',
  "--video --no-loop": 'Cannot use "--no-loop": no such flag, leave out --loop instead',
  "--video --no-loop=": 'Cannot use "--no-loop=": no such flag, leave out --loop instead',
  "--no-video=clip.mp4": 'Cannot use "--no-video=clip.mp4": no such flag, did you mean --video?',
  "--video --no-audio=false": 'Cannot use "--no-audio=false": --no-audio takes no value',
  "--video --audio=false": 'Cannot use "--audio=false": no such flag',
  "--image=": "Cannot use --image: expected NAME after it",
  "-video clip.mp4": 'Cannot use "-video": no such flag, did you mean --video?',
  "-v": 'Cannot use "-v": no such flag, did you mean -V?',
  "-x": 'Cannot use "-x": no such flag',
  "--__proto__": 'Cannot use "--__proto__": no such flag',
  "--constructor=1": 'Cannot use "--constructor=1": no such flag',
};

for (const [line, message] of Object.entries(WRONG)) {
  pureTest(`parseClientFlags() refuses "${line}"`, () => {
    const error = assertThrows(() => parse(line), UsageError);
    assertEquals(error.message, message);
    assertEquals(statusOf(error), 2);
  });
}

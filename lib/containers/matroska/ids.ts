/** Identifiers of the elements that are read (RFC 9559, section 5), with the marker of their length. */

/** The head of the file (RFC 8794, section 11.2). */
export const EBML = {
  header: 0x1a45dfa3,
  readVersion: 0x42f7,
  maxIdLength: 0x42f2,
  maxSizeLength: 0x42f3,
  docType: 0x4282,
  docTypeReadVersion: 0x4285,
  void: 0xec,
  crc32: 0xbf,
} as const;

/** The segment and the elements right below it. */
export const SEGMENT = {
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  info: 0x1549a966,
  tracks: 0x1654ae6b,
  cluster: 0x1f43b675,
  cues: 0x1c53bb6b,
  attachments: 0x1941a469,
  chapters: 0x1043a770,
  tags: 0x1254c367,
} as const;

/** Below `SeekHead`. */
export const SEEK = { seek: 0x4dbb, id: 0x53ab, position: 0x53ac } as const;

/** Below `Info`. */
export const INFO = { timestampScale: 0x2ad7b1, duration: 0x4489 } as const;

/** Below `Tracks`, without pictures and sound. */
export const TRACK = {
  entry: 0xae,
  number: 0xd7,
  type: 0x83,
  lacing: 0x9c,
  defaultDuration: 0x23e383,
  timestampScale: 0x23314f,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  codecDelay: 0x56aa,
  video: 0xe0,
  audio: 0xe1,
  operation: 0xe2,
  encodings: 0x6d80,
  isDefault: 0x88,
  language: 0x22b59c,
  name: 0x536e,
} as const;

/** Below `Video`. */
export const VIDEO = {
  interlaced: 0x9a,
  stereoMode: 0x53b8,
  alphaMode: 0x53c0,
  width: 0xb0,
  height: 0xba,
  cropBottom: 0x54aa,
  cropTop: 0x54bb,
  cropLeft: 0x54cc,
  cropRight: 0x54dd,
  displayWidth: 0x54b0,
  displayHeight: 0x54ba,
  displayUnit: 0x54b2,
  frameRate: 0x2383e3,
  colour: 0x55b0,
  matrix: 0x55b1,
  transfer: 0x55ba,
  primaries: 0x55bb,
  range: 0x55b9,
  projection: 0x7670,
} as const;

/** Below `Audio`. */
export const AUDIO = {
  rate: 0xb5,
  outputRate: 0x78b5,
  channels: 0x9f,
  bitDepth: 0x6264,
} as const;

/** Below `Cues`. */
export const CUES = {
  point: 0xbb,
  time: 0xb3,
  positions: 0xb7,
  track: 0xf7,
  cluster: 0xf1,
} as const;

/** Below `Cluster`. */
export const CLUSTER = {
  timestamp: 0xe7,
  simpleBlock: 0xa3,
  group: 0xa0,
  block: 0xa1,
  duration: 0x9b,
  reference: 0xfb,
} as const;

/** Below `Attachments`. */
export const ATTACHMENT = { file: 0x61a7, name: 0x466e, type: 0x4660, data: 0x465c } as const;

/** Below `Tags`. */
export const TAGS = { tag: 0x7373, simple: 0x67c8, name: 0x45a3 } as const;

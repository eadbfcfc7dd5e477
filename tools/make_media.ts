/**
 * Makes the samples in `media/`, an image and ten seconds of video with audio, with FFmpeg's
 * generators only. `deno task media [FOLDER]`; needs ffmpeg with libx264 and the font DejaVu.
 *
 * The video shows its frame number and time, and the sun flashes with a bell every second, so that
 * timing and audio sync can be judged by eye and ear.
 */

const WIDTH = 1280;
const HEIGHT = 720;

/** Frames per second. */
const RATE = 30;

/** Seconds. */
const DURATION = 10;

/** Colours of a landscape, as `#rrggbb`. */
interface Palette {
  /** From the top of the sky down to the horizon. */
  sky: [string, string, string, string];
  sun: string;
  /** From the far hills to the near ones. */
  hills: string[];
}

const DUSK: Palette = {
  sky: ["#15173d", "#4b2f7f", "#d0527f", "#ffb56b"],
  sun: "#fff0c4",
  hills: ["#8d3f78", "#5d2d68", "#351d4f", "#170e2b"],
};

const DAWN: Palette = {
  sky: ["#0b2545", "#136f8a", "#6cc3b0", "#fbe6b0"],
  sun: "#fffbe6",
  hills: ["#4f9c95", "#2c7580", "#174f63", "#0a2a40"],
};

/** A row of hills: its outline is a sum of waves that repeats every screen width. */
interface Hills {
  /** Mean height of the outline above the lower edge, pixels. */
  height: number;
  /** Waves: amplitude in pixels, periods per screen width, phase. */
  waves: [amplitude: number, periods: number, phase: number][];
  /** Pixels per frame to the left. An integer, so that edges stay sharp. */
  speed: number;
}

const HILLS: Hills[] = [
  { height: 300, waves: [[38, 2, 0.4], [18, 5, 1.9], [6, 11, 0.2]], speed: 1 },
  { height: 228, waves: [[42, 1, 2.0], [24, 3, 0.7], [7, 9, 2.6]], speed: 2 },
  { height: 150, waves: [[34, 2, 4.0], [20, 3, 2.2], [5, 13, 1.1]], speed: 4 },
  { height: 74, waves: [[22, 1, 1.0], [16, 4, 0.3], [4, 17, 0.9]], speed: 7 },
];

/** The red, green or blue part of a `#rrggbb`, 0 … 255. */
function channel(color: string, index: 0 | 1 | 2): number {
  return parseInt(color.slice(1 + 2 * index, 3 + 2 * index), 16);
}

/** Colour planes of a `geq` filter for one colour and an opacity expression, 0 … 255. */
function tint(color: string, opacity: string): string {
  const [r, g, b] = ([0, 1, 2] as const).map((index) => channel(color, index));
  return `geq=r=${r}:g=${g}:b=${b}:a='${opacity}'`;
}

/** One still frame of a `geq` filter, repeated endlessly. */
function still(size: string, filter: string): string {
  return `color=c=black@0:s=${size}:r=${RATE}:d=1,format=rgba,trim=end_frame=1,${filter},` +
    `loop=loop=-1:size=1,setpts=N/${RATE}/TB`;
}

/** The sky as a gradient with a few stars near the top. */
function sky({ sky: colors }: Palette): string {
  const planes = ([0, 1, 2] as const).map((index) => {
    const [a, b, c, d] = colors.map((color) => channel(color, index));
    const at = `(Y/${HEIGHT}*1.55)`;
    const blend =
      `lerp(lerp(${a},${b},clip(${at}/0.4,0,1)),lerp(${c},${d},clip((${at}-0.7)/0.3,0,1)),` +
      `clip((${at}-0.3)/0.5,0,1))`;
    // A hash of the position, the same on every machine.
    const hash = "abs(mod(sin(X*12.9898+Y*78.233)*43758.5453,1))";
    const star = `if(gt(${hash},0.9988),170*pow(clip(1-Y/330,0,1),1.5),0)`;
    return `${"rgb"[index]}='min(255,${blend}+${star})'`;
  });
  return still(`${WIDTH}x${HEIGHT}`, `geq=${planes.join(":")}:a=255`);
}

/** A disc with a wide glow, 900 pixels square. */
function sun({ sun: color }: Palette, glow: number): string {
  const distance = "hypot(X-450,Y-450)";
  const disc = `255*clip(71-${distance},0,1)`;
  const halo = `${glow}*pow(clip(1-${distance}/450,0,1),2.6)`;
  return still("900x900", tint(color, `clip(max(${disc},${halo}),0,255)`));
}

/** A row of hills, two screens wide, with light mist at the bottom. */
function hills(row: Hills, color: string): string {
  const outline = row.waves.map(([amplitude, periods, phase]) =>
    `${amplitude}*sin(2*PI*${periods}*X/${WIDTH}+${phase})`
  ).join("+");
  const depth = `(Y-(400-${row.height}-(${outline})))`;
  const size = `${2 * WIDTH}x400`;
  const mist = `lerp(0,26,clip(${depth}/${row.height},0,1))`;
  const [r, g, b] = ([0, 1, 2] as const).map((index) => `'${channel(color, index)}+${mist}'`);
  return still(size, `geq=r=${r}:g=${g}:b=${b}:a='255*clip(${depth},0,1)'`);
}

/** A line of text at a height, centred by default. */
function label(
  text: string,
  y: number,
  { size, font = "DejaVu Sans", x = "(w-tw)/2" }: { size: number; font?: string; x?: string },
): string {
  return `drawtext=font='${font}':text='${text}':fontsize=${size}:fontcolor=white@0.94:` +
    `x=${x}:y=${y}:shadowcolor=black@0.35:shadowx=2:shadowy=2`;
}

/** The landscape, as a filter graph with the output `[scene]`. */
function landscape(palette: Palette, { sunHeight }: { sunHeight: string }): string {
  const chains = [`${sky(palette)}[s]`, `${sun(palette, 120)}[sun]`, `${sun(palette, 215)}[flash]`];
  const place = `x=${WIDTH / 2 - 450}:y='${sunHeight}-450':format=auto`;
  chains.push(`[s][sun]overlay=${place}[s0]`);
  chains.push(`[s0][flash]overlay=${place}:enable='lt(mod(t,1),0.1)'[r0]`);
  for (const [at, row] of HILLS.entries()) {
    chains.push(`${hills(row, palette.hills[at])}[h${at}]`);
    const x = `-mod(n*${row.speed},${WIDTH})`;
    chains.push(`[r${at}][h${at}]overlay=x='${x}':y=${HEIGHT - 400}[r${at + 1}]`);
  }
  chains.push(`[r${HILLS.length}]null[scene]`);
  return chains.join(";");
}

/** The eight notes of a bar, semitones above its root; a bar takes two seconds. */
const MELODY = [0, 7, 12, 16, 19, 16, 12, 7];

/** Roots of the five bars, semitones from C4: C, A minor's, F, G, C. */
const ROOTS = [0, -3, -7, -5, 0];

/** An expression that looks up a value by an integer: FFmpeg's expressions have no arrays. */
function lookUp(table: number[], index: string): string {
  return `(${table.map((value, at) => `${value}*eq(${index},${at})`).join("+")})`;
}

/** One channel of the music: plucked notes, a soft bass, and a bell every second. */
function music({ delay }: { delay: number }): string {
  const t = `max(0,t-${delay})`;
  const root = lookUp(ROOTS, `min(4,floor(${t}/2))`);
  // Two voices alternate, so that each note has twice its beat to fade out.
  const voices = [0, 1].map((voice) => {
    const note = `(2*floor((${t}*4-${voice})/2)+${voice})`;
    const since = `(${t}-${note}/4)`;
    const pitch = `261.6256*pow(2,(${root}+${lookUp(MELODY, `mod(${note},8)`)})/12)`;
    const fade = `exp(-6*${since})*clip(1-${since}*2,0,1)*clip(${since}*200,0,1)*gte(${note},0)`;
    return `0.16*${fade}*(sin(2*PI*${pitch}*${since})+0.35*sin(4*PI*${pitch}*${since}))`;
  });
  const swell = `pow(sin(PI*mod(${t},2)/2),0.5)`;
  const ground = `0.07*${swell}*sin(2*PI*130.8128*pow(2,${root}/12)*mod(${t},2))`;
  const bell = "0.10*exp(-9*mod(t,1))*clip(mod(t,1)*400,0,1)*sin(2*PI*1567.98*mod(t,1))";
  return `${voices.join("+")}+${ground}+${bell}`;
}

/** Runs FFmpeg until it exits. */
async function ffmpeg(args: string[]): Promise<void> {
  // The same version of FFmpeg gives the same bytes.
  const exact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"];
  const output = args.pop() ?? "";
  const { success, stderr } = await new Deno.Command("ffmpeg", {
    args: ["-hide_banner", "-nostdin", "-loglevel", "error", "-y", ...args, ...exact, output],
    stdin: "null",
  }).output();
  if (!success) {
    const reason = new TextDecoder().decode(stderr).trim();
    throw new Error(`Cannot make "${output}": ffmpeg failed: ${reason}`);
  }
}

/** Writes the image. */
async function makeImage(path: string): Promise<void> {
  const graph = [
    landscape(DAWN, { sunHeight: "338" }),
    `[scene]${label("stream-server", 92, { size: 64 })},` +
    `${label("one picture, bit for bit", 176, { size: 28 })},format=rgb24[out]`,
  ].join(";");
  // Not the first frame, in which the sun flashes.
  const args = ["-filter_complex", graph, "-map", "[out]", "-ss", "0.2", "-frames:v", "1"];
  await ffmpeg([...args, "-compression_level", "100", "-pred", "mixed", path]);
}

/** Writes the video. */
async function makeVideo(path: string): Promise<void> {
  const mono = "DejaVu Sans Mono";
  const sunHeight = `400-90*sin(PI*t/${DURATION})`;
  const counter = "%{eif\\:n\\:d\\:3}";
  const clock = "%{pts\\:hms}";
  const graph = [
    landscape(DUSK, { sunHeight }),
    `color=c=white@0.85:s=${WIDTH}x5:r=${RATE}:d=${DURATION}[bar]`,
    `[scene]${label("stream-server", 78, { size: 58 })},` +
    `${label("every frame, on time", 154, { size: 26 })},` +
    `${label(`frame ${counter}`, HEIGHT - 54, { size: 26, font: mono, x: "40" })},` +
    `${label(clock, HEIGHT - 54, { size: 26, font: mono, x: "w-tw-40" })}[titled]`,
    `[titled][bar]overlay=x='-${WIDTH}+${WIDTH}*(n+1)/${RATE * DURATION}':y=${HEIGHT - 5}:` +
    "eof_action=pass,format=yuv420p[video]",
    `aevalsrc=exprs='${music({ delay: 0 })}|${music({ delay: 0.012 })}':s=48000:d=${DURATION},` +
    `aecho=0.8:0.7:180|370:0.25|0.15,volume=2,afade=t=out:st=${DURATION - 1.2}:d=1.2[audio]`,
  ].join(";");
  await ffmpeg([
    ...["-filter_complex", graph, "-map", "[video]", "-map", "[audio]", "-t", String(DURATION)],
    ...["-c:v", "libx264", "-preset", "veryslow", "-crf", "24", "-g", String(2 * RATE)],
    ...["-colorspace", "smpte170m", "-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart", path],
  ]);
}

if (import.meta.main) {
  const folder = Deno.args[0] ?? "media";
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, make] of [["image.png", makeImage], ["video.mp4", makeVideo]] as const) {
    const path = `${folder}/${name}`;
    await make(path);
    const { size } = await Deno.stat(path);
    await Deno.stdout.write(
      new TextEncoder().encode(`${path}: ${(size / 1000).toFixed(0)} kB\n`),
    );
  }
}

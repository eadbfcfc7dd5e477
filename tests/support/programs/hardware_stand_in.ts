/** An FFmpeg that claims to have hardware, and lets the processor do its work. */
import { standIn } from "./stand_in.ts";

/** What the FFmpeg of {@linkcode hardwareStandIn} claims. */
export interface ClaimedHardware {
  /** Encoders that it was built with. @default those of Linux */
  built?: readonly string[];
  /** Encoders that encode a frame. @default none */
  works?: readonly string[];
  /** Encoders that encode a frame on trial, and no frame after that. @default none */
  failsLater?: readonly string[];
  /** Encoders and devices of which a trial never ends. @default none */
  hangs?: readonly string[];
  /** Methods of decoding that it was built with. @default cuda, vaapi */
  methods?: readonly string[];
  /** Methods of decoding whose devices open. @default none */
  devices?: readonly string[];
}

/** The claims, until they are disposed. */
export class HardwareStandIn implements Disposable {
  #log: string;
  #stack: DisposableStack;

  constructor(log: string, stack: DisposableStack) {
    this.#log = log;
    this.#stack = stack;
  }

  /** The arguments of each run so far, those that ask what it was built with excepted. */
  get runs(): string[] {
    return Deno.readTextFileSync(this.#log).split("\n").slice(0, -1);
  }

  /** The runs that are no trials. */
  get streams(): string[] {
    return this.runs.filter((line) => line.includes("-f nut"));
  }

  /** The devices and encoders that were tried. */
  get tried(): string[] {
    return this.runs.filter((line) => line.includes("-f null"))
      .map((line) => {
        const [, encoder] = line.match(/-c:v (\S+)/) ?? [];
        const [, device] = line.match(/-init_hw_device (\S+)/) ?? [];
        return encoder ?? device ?? line;
      }).sort();
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

const LINUX = ["h264_nvenc", "h264_vaapi", "h264_qsv", "h264_v4l2m2m"];

/** Puts the claims in the place of the installed FFmpeg. */
export async function hardwareStandIn(
  {
    built = LINUX,
    works = [],
    failsLater = [],
    hangs = [],
    methods = ["cuda", "vaapi"],
    devices = [],
  }: ClaimedHardware = {},
): Promise<HardwareStandIn> {
  const stack = new DisposableStack();
  const log = await Deno.makeTempFile({ prefix: "stream_hardware_" });
  stack.defer(() => Deno.removeSync(log));
  const onTrial = [...works, ...failsLater];
  stack.use(
    await standIn("ffmpeg", script({ log, built, onTrial, works, hangs, methods, devices })),
  );
  return new HardwareStandIn(log, stack);
}

interface ScriptParts {
  log: string;
  built: readonly string[];
  onTrial: readonly string[];
  works: readonly string[];
  hangs: readonly string[];
  methods: readonly string[];
  devices: readonly string[];
}

/** FFmpeg's words of a failure are those of release 5.1. */
function script({ log, built, onTrial, works, hangs, methods, devices }: ScriptParts): string {
  const words = (names: readonly string[]) => `" ${names.join(" ")} "`;
  return `
refuse() {
  echo "[$1 @ 0x55] $1 is not plugged in" >&2
  echo "$2" >&2
  exit 1
}
case "$*" in
  *-encoders) for name in ${built.join(" ")}; do echo " V....D $name  an encoder"; done; exit;;
  *-hwaccels) echo "Hardware acceleration methods:"; printf '%s\\n' ${methods.join(" ")}; exit;;
esac
echo "$*" >>"${log}"
before= encoder= device= hwaccel=
for word; do
  case $before in
    -c:v) case $word in h264_*) encoder=$word;; esac;;
    -init_hw_device) device=$word;;
    -hwaccel) hwaccel=$word;;
  esac
  before=$word
done
case "$*" in *"-f null"*) able=${words(onTrial)} ;; *) able=${words(works)} ;; esac
case ${words(hangs)} in *" \${encoder:-\${device:-none}} "*) exec sleep 600;; esac
if [ -n "$encoder" ]; then
  case $able in
    *" $encoder "*) ;;
    *) refuse "$encoder" "Error initializing output stream 0:0 -- Error while opening encoder";;
  esac
elif [ -n "$device" ]; then
  case ${words(devices)} in
    *" $device "*) exit 0;;
    *) refuse "$device" "Device creation failed: -1.";;
  esac
fi
[ -n "$encoder$hwaccel" ] || exec "$REAL" "$@"
left=$#
while [ $left -gt 0 ]; do
  word=$1; shift; left=$((left - 1))
  case $word in
    -hwaccel|-init_hw_device|-filter_hw_device|-async_depth|-rc_mode|-rc|-qp|-q:v|-delay|\\
    -forced-idr|-forced_idr|-zerolatency) shift; left=$((left - 1));;
    -preset|-tune)
      if [ -n "$encoder" ]; then shift; left=$((left - 1)); else set -- "$@" "$word"; fi;;
    h264_*) set -- "$@" libx264 -tune zerolatency;;
    -vf)
      # Hardware gives frames with interleaved colours.
      filters=\${1%,hwupload}; shift; left=$((left - 1))
      set -- "$@" -vf "\${hwaccel:+format=nv12|p010le,}$filters";;
    *) set -- "$@" "$word";;
  esac
done
exec "$REAL" "$@"`;
}

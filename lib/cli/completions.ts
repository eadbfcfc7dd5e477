/** Shell completions. */
import type { Flag, FlagTable } from "./flags.ts";

/** Supported shells. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** One of {@linkcode SHELLS}. */
export type Shell = typeof SHELLS[number];

/** Placeholders of flags whose values are paths. */
const FILES = /\b(FILE|FOLDER)\b/;

/** The completion script of a program, for `source <(… --completions bash)`. */
export function completionScript(shell: Shell, program: string, table: FlagTable): string {
  const flags = Object.entries(table);
  if (shell === "bash") return bashScript(program, flags);
  return shell === "zsh" ? zshScript(program, flags) : fishScript(program, flags);
}

type NamedFlag = readonly [name: string, flag: Flag<unknown>];

function bashScript(program: string, flags: readonly NamedFlag[]): string {
  const name = `_${program.replaceAll("-", "_")}`;
  const all = flags.flatMap(([flag, { short }]) => [`--${flag}`, ...(short ? [`-${short}`] : [])])
    .join(" ");
  const cases = flags.flatMap(([flag, { placeholder, words, valueOptional }]) => {
    if (placeholder === undefined || valueOptional) return [];
    const reply = words !== undefined
      ? `COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$word"))`
      : FILES.test(placeholder)
      // File names may have spaces, so they are separated by newlines.
      ? `local IFS=$'\\n'; compopt -o filenames; COMPREPLY=($(compgen -f -- "$word"))`
      : "COMPREPLY=()";
    return [`    --${flag}) ${reply}; return ;;`];
  });
  return `# bash completion of ${program}
${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  case $before in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "${all}" -- "$word"))
}
complete -F ${name} ${program}
`;
}

function zshScript(program: string, flags: readonly NamedFlag[]): string {
  const name = `_${program}`;
  const lines = flags.flatMap(
    ([flag, { short, placeholder, words, valueOptional, repeatable, help }]) => {
      const value = placeholder === undefined
        ? ""
        : `:${valueOptional ? ":" : ""}${inZsh(placeholder)}:${
          words !== undefined ? `(${words.join(" ")})` : FILES.test(placeholder) ? "_files" : ""
        }`;
      const forms = [`--${flag}`, ...(short ? [`-${short}`] : [])];
      return forms.map((form) => {
        const spec = `${repeatable ? "*" : ""}${form}[${inZsh(help)}]${value}`;
        return `    '${spec.replaceAll("'", `'\\''`)}'`;
      });
    },
  );
  return `#compdef ${program}
${name}() {
  _arguments \\
${lines.join(" \\\n")}
}
if [ "$funcstack[1]" = "${name}" ]; then
  ${name} "$@"
else
  compdef ${name} ${program}
fi
`;
}

/** Escapes the delimiters of zsh's specifications. */
function inZsh(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, (character) => `\\${character}`);
}

function fishScript(program: string, flags: readonly NamedFlag[]): string {
  const lines = flags.map(([flag, { short, placeholder, words, valueOptional, help }]) => {
    const value = placeholder === undefined || valueOptional
      ? ""
      : words !== undefined
      ? ` -x -a ${inFish(words.join(" "))}`
      : FILES.test(placeholder)
      ? " -r -F"
      : " -x";
    const letter = short ? ` -s ${short}` : "";
    return `complete -c ${program} -l ${flag}${letter}${value} -d ${inFish(help)}`;
  });
  return `# fish completion of ${program}\ncomplete -c ${program} -f\n${lines.join("\n")}\n`;
}

function inFish(text: string): string {
  return `'${text.replaceAll(/[\\']/g, (character) => `\\${character}`)}'`;
}

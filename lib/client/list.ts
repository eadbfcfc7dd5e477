/** The list of media for the user: once, or followed. */
import { printable, printableJson } from "../base/log.ts";
import type { ListedMedia } from "../protocol/native/list.ts";
import type { ListEntry } from "../protocol/native/response.ts";
import { type ClientContext, explained } from "./context.ts";
import { askList, followList } from "./request/list.ts";
import { renderEntry, renderList } from "./terminal/list_table.ts";
import { lineOutput, type ProgressOutput } from "./terminal/progress.ts";

/** Prints the list of media, and then its changes if the flags ask for that. */
export async function printList(context: ClientContext): Promise<void> {
  const { flags, limits, environment, signal } = context;
  const { clock } = environment;
  const progress = progressOf(context);
  const notify = (line: string) => {
    progress?.clear();
    environment.printError(`${printable(line)}\n`);
  };
  const options = { target: explained(context, notify), limits, notify, clock, signal };
  const showProgress = (list: ListedMedia) => progress?.draw(describeProgress(list));
  if (flags.follow) {
    const changes = new PrintedChanges(context, () => progress?.clear());
    const onList = (list: ListedMedia) =>
      list.isComplete ? changes.show(list.entries) : showProgress(list);
    try {
      return await followList({ ...options, onList });
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    } finally {
      progress?.clear();
    }
  }
  try {
    const entries = await askList({ ...options, onList: showProgress });
    progress?.clear();
    printEntries(entries, context);
  } finally {
    progress?.clear();
  }
}

/** The line that shows how far a list is; `undefined` if there is no terminal to draw it on. */
function progressOf({ environment }: ClientContext): ProgressOutput | undefined {
  const { stderrIsTerminal, printError, terminalSize } = environment;
  if (!stderrIsTerminal) return undefined;
  return lineOutput({ write: printError, columns: () => terminalSize().columns });
}

function describeProgress({ size, pending }: ListedMedia): string {
  const numbers = [size - pending, size].map((number) => number.toLocaleString("en-US"));
  return `Listing… ${numbers.join(" of ")}`;
}

/** Prints a whole list. */
function printEntries(
  entries: readonly ListEntry[],
  { flags, environment }: Pick<ClientContext, "flags" | "environment">,
): void {
  const { print, stdoutIsTerminal, terminalSize } = environment;
  const columns = stdoutIsTerminal ? terminalSize().columns : undefined;
  print(
    flags.json
      ? `${printableJson({ command: "list_media", entries })}\n`
      : renderList(entries, { columns, long: flags.long }),
  );
}

/** Prints a list once, and from then on a line for each entry that has changed. */
class PrintedChanges {
  #context: ClientContext;
  #onPrint: () => void;
  #printed: Map<string, ListEntry> | undefined;

  /** @param onPrint called before something is printed */
  constructor(context: ClientContext, onPrint: () => void) {
    this.#context = context;
    this.#onPrint = onPrint;
  }

  /** Shows the list as it is now. */
  show(entries: readonly ListEntry[]): void {
    const before = this.#printed;
    const now = this.#printed = new Map(entries.map((entry) => [entry.name, entry]));
    this.#onPrint();
    if (before === undefined) return printEntries(entries, this.#context);
    for (const name of before.keys()) {
      if (!now.has(name)) this.#print("-", "removed", { name });
    }
    for (const entry of entries) {
      const earlier = before.get(entry.name);
      if (earlier === undefined) this.#print("+", "added", entry);
      else if (!isSame(earlier, entry)) this.#print("~", "changed", entry);
    }
  }

  #print(sign: string, change: string, entry: ListEntry | { name: string }): void {
    const { flags, environment } = this.#context;
    const text = "kind" in entry ? renderEntry(entry) : printable(entry.name);
    environment.print(
      flags.json ? `${printableJson({ change, ...entry })}\n` : `${sign} ${text}\n`,
    );
  }
}

function isSame(entry: ListEntry, other: ListEntry): boolean {
  return entry === other || JSON.stringify(entry) === JSON.stringify(other);
}

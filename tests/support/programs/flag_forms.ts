import type { FlagTable } from "../../../lib/cli/flags.ts";

/** Command lines with a wrong form of each flag of a table. */
export function wrongForms(table: FlagTable): string[][] {
  return Object.entries(table).flatMap(([name, { placeholder, valueOptional }]) => {
    const wrong = [
      ...["", "=", "=1", "=false"].map((value) => [`--no-${name}${value}`]),
      ...["", "=", "=1"].map((value) => [`-${name}${value}`]),
      ...[`---${name}`, `--${name}.x`, `--${name}.x=1`, `--=${name}`].map((flag) => [flag]),
      [`--${name}=`],
      [`--${name}`, ""],
    ];
    if (placeholder === undefined) {
      const values = ["0", "1", "false", "true", "no"];
      wrong.push(...values.flatMap((value) => [[`--${name}=${value}`], [`--${name}`, value]]));
    } else if (!valueOptional) {
      wrong.push([`--${name}`], [`--${name}`, "--help"], [`--${name}`, "-x"]);
    }
    return wrong;
  });
}

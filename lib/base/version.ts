import config from "../../deno.json" with { type: "json" };

/** Version of the programs, by semantic versioning. */
export const VERSION: string = config.version;

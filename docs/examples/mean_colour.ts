/** A page in the mean colour of what a server sends: `deno run -A docs/examples/mean_colour.ts cam`. */
import { connect } from "@stream/media";

const [name, host = "localhost", port = "7777", page = "8000"] = Deno.args;
let colour = "black";

const style = () => `<meta http-equiv="refresh" content="1"><body style="background:${colour}">`;
const headers = { "content-type": "text/html" };
const server = Deno.serve({ port: Number(page) }, () => new Response(style(), { headers }));

const client = connect({ host, port: Number(port) });
for await (
  const { data } of client.watch(name, { pixelFormat: "rgb24", width: 64, audio: false })
) {
  const sums = [0, 0, 0];
  data.forEach((value, at) => sums[at % 3] += value);
  colour = `rgb(${sums.map((sum) => Math.round(3 * sum / data.length))})`;
}
await server.finished;

/** A page in the mean colour of a source: `deno run --allow-net docs/examples/mean_colour.ts cam`. */
import { connect } from "@stream/media";

const [name = "video.mp4", host = "localhost", port = "7777", pagePort = "8000"] = Deno.args;
const headers = { "content-type": "text/html" };
let page = "";
let server: Deno.HttpServer | undefined;

const client = connect({ host, port: Number(port) });
for await (
  const { data } of client.watch(name, { pixelFormat: "rgb24", width: 64, audio: false })
) {
  const sums = [0, 0, 0];
  data.forEach((value, at) => sums[at % 3] += value);
  const colour = `rgb(${sums.map((sum) => Math.round(3 * sum / data.length))})`;
  page = `<meta http-equiv="refresh" content="1"><body style="background: ${colour}">${colour}`;
  const address = { hostname: "127.0.0.1", port: Number(pagePort) };
  server ??= Deno.serve(address, () => new Response(page, { headers }));
}
await server?.finished;

/** Bytes of one sample of PCM in one channel; `undefined` for other codecs. */
export function sampleSize(codec: string): number | undefined {
  const bits = codec.match(/^pcm_[suf](\d+)/)?.[1];
  return bits === undefined ? undefined : Number(bits) / 8;
}

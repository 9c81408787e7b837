// Reads waveform data with waveform-data and says what is in it: node peaks.mjs FILE
// A file whose name ends in .json is read as JSON, any other as the binary form.
import fs from "node:fs";
import WaveformData from "waveform-data";

const [file] = process.argv.slice(2);
const data = fs.readFileSync(file);
const waveform = WaveformData.create(
  file.endsWith(".json")
    ? JSON.parse(data.toString())
    : data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
);
const channels = Array.from({ length: waveform.channels }, (_, index) => {
  const channel = waveform.channel(index);
  return { min: channel.min_array(), max: channel.max_array() };
});
const { sample_rate, scale, length, duration, bits } = waveform;
console.log(JSON.stringify({ sample_rate, scale, length, duration, bits, channels }));
